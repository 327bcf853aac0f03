"""The command line. A new command is a file here that holds a click command named `command`, and a line below."""

import click

from email_consumer.cli.lazy_group import LazyGroup


@click.group(
    cls=LazyGroup,
    package=__name__,
    summaries={
        "run": "Send mail: worker and sidecar in one process.",
        "worker": "Send mail as one of many workers (LEDGER=jetstream).",
        "sidecar": "API, scheduler, SES events and dashboard for the workers (LEDGER=jetstream).",
        "publish": "Publish mail to the stream, as an upstream service would.",
        "stats": "Show a topic's results, or how much was sent recently.",
        "domains": "Show what became of mail by its recipients' domain.",
        "cancel": "Cancel the unsent mail of a topic.",
        "messages": "List, show or export mail and what became of it.",
        "dlq": "List, show, replay or remove dead letters.",
        "lanes": "Adopt transactional mail that was published before its lane existed.",
        "holds": "Show, place or end holds: mail that waits in the store.",
        "suppressions": "List, add or remove addresses that get no mail.",
        "webhooks": "Add, list, test or remove endpoints that get events.",
        "keys": "Make, list or remove API keys with scopes.",
        "audit": "List or export what operators did.",
        "erase": "Erase one address.",
        "secret": "Rotate the secret that signs unsubscribe links and open pixels.",
        "backup": "Copy the SQLite file while the program runs.",
        "rebuild": "Rebuild the sidecar's SQLite file from JetStream.",
        "doctor": "Check the whole installation and suggest fixes.",
        "aws": "Set up SES, SNS, SQS and IAM for this installation.",
        "sandbox": "Run only the local stand-in for Amazon SES.",
    },
)
@click.version_option(package_name="email-consumer")
def main() -> None:
    """A self-hosted sender for Amazon SES. Configured by the environment and by `.env` in the working directory."""
    from email_consumer.cli import configuration, dotenv_file  # noqa: PLC0415 - not needed for `--help`

    try:
        dotenv_file.merge()
    except dotenv_file.DotenvError as error:
        raise configuration.BadSettings(str(error)) from None
