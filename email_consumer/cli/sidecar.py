"""`email-consumer sidecar`: the one beside the workers."""

import click

from email_consumer import roles as daemon
from email_consumer.cli.configuration import serving
from email_consumer.cli.serve import serve


@click.command()
def command() -> None:
    """Serve the API, the schedule, SES's events and the page beside the workers until SIGTERM or SIGINT.

    Needs LEDGER=jetstream. Workers go on while it is away.
    """
    serve(daemon.sidecar(serving()))
