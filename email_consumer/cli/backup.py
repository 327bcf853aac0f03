"""`email-consumer backup`: a consistent copy of the SQLite file while the program runs."""

from pathlib import Path

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.terminal import say
from email_consumer.store.backup import back_up


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
def command(*, file: Path, data: Path) -> None:
    """Write a consistent copy of the SQLite file (DB_PATH) to FILE, even while the program runs.

    With separate workers, run it on the sidecar's machine. FILE must not exist yet. Mail waiting in NATS or SQS is not part
    of the backup.
    """
    settings = answering(data)
    size = back_up(settings.db_path, file, is_ledger=settings.ledger == "sqlite")
    say(f"{settings.db_path} copied to {file}: {size:,} bytes")
