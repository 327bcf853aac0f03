"""`email-consumer publish`: mails onto the stream, as an upstream service would put them there."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import click
import uvloop

from email_consumer.cli.bulk_publisher import BulkPublisher, PublishError
from email_consumer.cli.configuration import answering
from email_consumer.cli.connection import nats_connection
from email_consumer.cli.options import data_option
from email_consumer.cli.recipients import read_recipients
from email_consumer.local.environment import use_local_nats
from email_consumer.local.servers import running_nats_url
from email_consumer.message import EmailMessage, UndecodableError, from_value
from email_consumer.settings import Settings

_LISTED = 10
_WORTH_A_BAR = 1000

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--to", "addresses", multiple=True, metavar="ADDRESS", help="A recipient; may be given several times.")
@click.option("--to-file", type=_file, help="More recipients, one a line; empty lines and # comments are skipped.")
@click.option("--subject", required=True)
@click.option("--html", type=click.File("rb"), required=True, help="The body; - reads standard input.")
@click.option("--topic", metavar="TOPIC", help="The topic that the mails count for and can be cancelled by.")
@click.option("--uuid", metavar="UUID", help="In place of a random one; with several recipients UUID-1, UUID-2, …")
@data_option
def command(
    *,
    addresses: Sequence[str],
    to_file: Path | None,
    subject: str,
    html: BinaryIO,
    topic: str | None,
    uuid: str | None,
    data: Path,
) -> None:
    """Publish one mail per recipient to the stream.

    Without NATS_URL, and with `run --local` at work on the data directory, its server is the one that is used.
    """
    recipients = read_recipients(addresses, to_file)
    uuids = _uuids(len(recipients), uuid)
    mail = {"subject": subject, "body": _read(html), **({"topic_id": topic} if topic else {})}
    _message(mail, recipients[0], uuids[0])  # a fault that all would share is told before the first is published
    if not os.environ.get("NATS_URL") and (url := running_nats_url(data)):
        use_local_nats(os.environ, url)
    messages = (_message(mail, recipient, uuid) for recipient, uuid in zip(recipients, uuids, strict=True))
    uvloop.run(_publish(answering(), messages, uuids))


async def _publish(settings: Settings, messages: Iterator[EmailMessage], uuids: Sequence[str]) -> None:
    total = len(uuids)
    hidden = total < _WORTH_A_BAR or not sys.stderr.isatty()
    async with nats_connection(settings) as client:
        publisher = BulkPublisher(client, settings.subject)
        try:
            with click.progressbar(messages, length=total, label="Publishing", file=sys.stderr, hidden=hidden) as bar:
                await publisher.publish(bar)
        except PublishError as error:
            raise click.ClickException(f"{publisher.stored} of {total} stored, then: {error}") from None
    known = f", {publisher.duplicates} of them already known" if publisher.duplicates else ""
    click.echo(f"{total} stored in stream {publisher.stream}{known}: {_listed(uuids)}")


def _uuids(count: int, given: str | None) -> list[str]:
    if given is None:
        return [str(uuid4()) for _ in range(count)]
    return [given] if count == 1 else [f"{given}-{number}" for number in range(1, count + 1)]


def _listed(uuids: Sequence[str]) -> str:
    return " ".join(uuids) if len(uuids) <= _LISTED else f"{uuids[0]} … {uuids[-1]}"


def _read(html: BinaryIO) -> str:
    try:
        return html.read().decode()  # not as text: line ends would be changed
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"--html {html.name} can't be read: {error}") from None


def _message(mail: dict[str, str], recipient: str, uuid: str) -> EmailMessage:
    try:
        return from_value({**mail, "uuid": uuid, "email": recipient})
    except UndecodableError as error:
        raise click.ClickException(str(error)) from None
