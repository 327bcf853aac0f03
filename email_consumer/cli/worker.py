"""`email-consumer worker`: one of many that send mail."""

import click

from email_consumer import roles as daemon
from email_consumer.cli.configuration import serving
from email_consumer.cli.serve import serve


@click.command()
def command() -> None:
    """Send mail as one of many workers until SIGTERM or SIGINT, then finish what is in flight and exit.

    Needs LEDGER=jetstream, and one sidecar beside all workers.
    """
    serve(daemon.worker(serving()))
