"""`email-consumer sidecar`: the control plane of the workers."""

import click

from email_consumer import roles as daemon
from email_consumer.cli.configuration import serving
from email_consumer.cli.serve import serve


@click.command()
def command() -> None:
    """Run the API, the scheduler, SES events and the dashboard for the workers, until SIGTERM or SIGINT.

    Needs LEDGER=jetstream. Workers keep sending while it is down.
    """
    serve(daemon.sidecar(serving()))
