"""`email-consumer rebuild`: rebuilds the sidecar's SQLite file from JetStream."""

import asyncio

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.connection import nats_connection
from email_consumer.cli.terminal import say
from email_consumer.replica.rebuild import Rebuilt, rebuild
from email_consumer.settings import Settings


@click.command()
@click.option("--incomplete", is_flag=True, help="Build the file even if something is missing.")
def command(*, incomplete: bool) -> None:
    """Rebuild the sidecar's file (DB_PATH) from JetStream. The sidecar must not be running.

    If the copy of the rows is incomplete, prints what is missing, writes no file and exits with code 1.
    """
    settings = answering()
    if settings.ledger != "jetstream":
        # Without this check, a user who has a file would be asked to move it away; but here that file is the ledger.
        raise click.ClickException(
            "LEDGER: rebuild is for a sidecar, with LEDGER=jetstream; with sqlite DB_PATH is the ledger itself, of which "
            "JetStream has no copy: leave it where it is, and put a backup back if it is lost"
        )
    rebuilt = asyncio.run(_rebuild(settings, incomplete=incomplete))
    say(f"{settings.db_path} has {rebuilt.rows} rows again")
    for missing in rebuilt.missing:
        say(f"missing: {missing}", err=True)
    if rebuilt.skipped:
        say(f"{rebuilt.skipped} messages in the stream were no rows, and left out", err=True)


async def _rebuild(settings: Settings, *, incomplete: bool) -> Rebuilt:
    async with nats_connection(settings) as client:
        return await rebuild(settings.db_path, client, stream=settings.stream, incomplete=incomplete)
