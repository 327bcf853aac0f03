"""`email-consumer rebuild`: the sidecar's SQLite file, made again from JetStream."""

import asyncio

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.connection import nats_connection
from email_consumer.cli.terminal import say
from email_consumer.replica.rebuild import RebuildError, rebuild
from email_consumer.settings import Settings
from email_consumer.store.database import StoreError


@click.command()
def command() -> None:
    """Make the sidecar's file (DB_PATH) again from what JetStream holds. The sidecar must not run."""
    settings = answering()
    try:
        rows = asyncio.run(_rebuild(settings))
    except (RebuildError, StoreError) as error:
        raise click.ClickException(str(error)) from None
    say(f"{settings.db_path} has {rows} rows again")


async def _rebuild(settings: Settings) -> int:
    async with nats_connection(settings) as client:
        return await rebuild(settings.db_path, client, stream=settings.stream)
