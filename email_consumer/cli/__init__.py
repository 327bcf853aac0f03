"""The command line. A new command is a file here that holds a click command named `command`, and a line below."""

import click

from email_consumer.cli.lazy_group import LazyGroup


@click.group(
    cls=LazyGroup,
    package=__name__,
    summaries={
        "run": "Send mail: worker and sidecar in one process.",
        "worker": "Send mail, as one of many workers; LEDGER=jetstream.",
        "sidecar": "The API, the schedule, SES's events and the page beside the workers.",
        "publish": "Publish mails to the stream, as an upstream service would.",
        "stats": "What became of a topic's mail, or what was sent in the last hours.",
        "cancel": "Cancel what is not sent yet of a topic.",
        "dlq": "Dead letters: list them, show one, send them again, remove them.",
        "suppressions": "Addresses that get no mail: list, add, remove.",
        "erase": "Forget one address.",
        "secret": "Rotate the secret that signs unsubscribe links and open pixels.",
        "backup": "Copy the SQLite file while the program runs.",
        "rebuild": "Make the sidecar's SQLite file again from JetStream.",
        "doctor": "Look at everything, and say what is wrong and how to mend it.",
        "sandbox": "The local stand-in for Amazon SES alone.",
    },
)
@click.version_option(package_name="email-consumer")
def main() -> None:
    """A self-hosted sender for Amazon SES. Configured by the environment, and by `.env` in the working directory."""
    from email_consumer.cli import configuration, dotenv_file  # noqa: PLC0415 - `--help` needs none of it

    try:
        dotenv_file.merge()
    except dotenv_file.DotenvError as error:
        raise configuration.BadSettings(str(error)) from None
