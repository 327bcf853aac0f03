"""`email-consumer worker`: one of many workers that send mail."""

import click

from email_consumer import roles as daemon
from email_consumer.cli.configuration import serving
from email_consumer.cli.serve import serve


@click.command()
def command() -> None:
    """Send mail as one of many workers. SIGTERM or SIGINT finishes the mail in flight and exits.

    Needs LEDGER=jetstream, and one sidecar for all workers.
    """
    serve(daemon.worker(serving()))
