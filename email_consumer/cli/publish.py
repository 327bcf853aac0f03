"""`email-consumer publish`: publishes mail to the stream, as an upstream service would."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from datetime import tzinfo
from mimetypes import guess_type
from pathlib import Path
from typing import TextIO
from uuid import uuid4
from zoneinfo import ZoneInfo

import click
import orjson
import uvloop
from nats.errors import Error as NatsError

from email_consumer.cli.bulk_publisher import BulkPublisher, PublishError
from email_consumer.cli.configuration import answering
from email_consumer.cli.connection import nats_connection
from email_consumer.cli.options import data_option
from email_consumer.cli.recipients import read_recipients
from email_consumer.cli.terminal import say
from email_consumer.local.environment import use_local_nats
from email_consumer.local.servers import running_nats_url
from email_consumer.message.fields import MAX_BYTES
from email_consumer.message.fingerprint import address_hash
from email_consumer.message.keys import Reading
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, UndecodableError, from_value
from email_consumer.settings import Settings
from email_consumer.settings.mail_stream import mail_stream
from email_consumer.sources.jetstream.topology import Topology

_LISTED = 10
_WORTH_A_BAR = 1000

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_body = click.Path(exists=True, dir_okay=False, allow_dash=True)


@click.command()
@click.option("--to", "addresses", multiple=True, metavar="ADDRESS", help="A recipient. Can be repeated.")
@click.option("--to-file", type=_file, help="More recipients, one per line; empty lines and # comments are skipped.")
@click.option("--subject", required=True)
@click.option("--html", type=_body, help="The HTML body; - reads standard input.")
@click.option("--text", type=_body, help="The plain-text body; - reads standard input.")
@click.option("--from", "from_email", metavar="ADDRESS", help="The sender, instead of FROM_EMAIL.")
@click.option("--at", "scheduled_at", metavar="TIME", help="When to send, such as 2030-01-01T09:00:00+09:00.")
@click.option("--attach", "attachments", type=_file, multiple=True, help="A file to attach. Can be repeated.")
@click.option("--topic", metavar="TOPIC", help="The topic, for statistics and cancellation.")
@click.option(
    "--lane",
    type=click.Choice([lane.value for lane in Lane]),
    help="bulk, the default, or transactional: it goes before bulk mail, and an unsubscribe does not stop it.",
)
@click.option("--send-window", metavar="WINDOW", help="When it may be sent, such as 'mon-fri 09:00-18:00'.")
@click.option("--timezone", metavar="ZONE", help="The recipients' time zone, in which the window counts.")
@click.option("--tenant", metavar="TENANT", help="The tenant of SES that the mail is sent for.")
@click.option("--group", metavar="GROUP", help="The unsubscribe group; adds an unsubscribe link that names it.")
@click.option("--uuid", metavar="UUID", help="Instead of a random UUID; see above.")
@click.option("--write-uuids", type=click.File("w"), metavar="FILE", help="Write one line per mail: UUID and address.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, with all UUIDs.")
@data_option
def command(
    *,
    addresses: Sequence[str],
    to_file: Path | None,
    subject: str,
    html: str | None,
    text: str | None,
    from_email: str | None,
    scheduled_at: str | None,
    attachments: Sequence[Path],
    topic: str | None,
    lane: str | None,
    send_window: str | None,
    timezone: str | None,
    tenant: str | None,
    group: str | None,
    uuid: str | None,
    write_uuids: TextIO | None,
    as_json: bool,
    data: Path,
) -> None:
    """Publish one mail per recipient to the stream. An address named twice gets one mail.

    With --uuid and a single --to, the mail has that UUID. With several recipients or --to-file, each UUID is derived from it
    and the address, so after editing the list you can run the command again and only new addresses get the mail.

    Without NATS_URL, uses the server of a `run --local` that is running in the data directory.
    """
    if html is None and text is None:
        raise click.UsageError("no body: give --html, --text or both")
    if html == text == "-":
        raise click.UsageError("--html and --text can't both read standard input")
    recipients, merged = read_recipients(addresses, to_file)
    uuids = _uuids(recipients, uuid, alone=len(addresses) == 1 and not to_file)
    mail: dict[str, object] = {
        "subject": subject,
        "body": html and _read("--html", html),
        "text": text and _read("--text", text),
        "from_email": from_email,
        "scheduled_at": scheduled_at,
        "attachments": [_attachment(path) for path in attachments] or None,
        "topic_id": topic,
        "lane": lane,
        "tenant": tenant,
        "send_window": send_window,
        "timezone": timezone,
        "unsubscribe_group": group,
        "list_unsubscribe": True if group else None,
    }
    mail = {name: value for name, value in mail.items() if value is not None}
    if not os.environ.get("NATS_URL") and (url := running_nats_url(data)):
        use_local_nats(os.environ, url)
    settings = answering()
    zone = ZoneInfo(settings.timezone)
    _message(mail, recipients[0], uuids[0], zone)  # an error common to all is reported before anything is done
    if write_uuids:  # first, so that an interrupted run can be traced
        write_uuids.writelines(f"{uuid}\t{recipient}\n" for uuid, recipient in zip(uuids, recipients, strict=True))
        write_uuids.flush()
    messages = (_message(mail, recipient, uuid, zone) for recipient, uuid in zip(recipients, uuids, strict=True))
    publisher = uvloop.run(_publish(settings, messages, len(uuids), transactional=lane == Lane.TRANSACTIONAL))
    if as_json:
        result = {"stored": publisher.stored, "duplicates": publisher.duplicates, "stream": publisher.stream}
        say(orjson.dumps(result | {"merged": merged, "uuids": uuids}))
        return
    new = publisher.stored - publisher.duplicates
    known = f", {publisher.duplicates} published before" if publisher.duplicates else ""
    if publisher.gone:  # the stream remembers their names even after a purge
        known += f" ({publisher.gone} no longer there: sent since, or purged)"
    if merged:
        known += f" ({merged} more named again)"
    say(f"{new} stored in stream {publisher.stream}{known}: {_listed(uuids)}")


async def _publish(
    settings: Settings, messages: Iterator[EmailMessage], total: int, *, transactional: bool
) -> BulkPublisher:
    hidden = total < _WORTH_A_BAR or not sys.stderr.isatty()
    async with nats_connection(settings) as client:
        lane = Topology(client, mail_stream(settings)).transactional
        if transactional:
            with suppress(NatsError):  # not for us to know; it is transactional mail in the other lane, too
                await lane.find()
        publisher = BulkPublisher(client, settings.subject if lane.missing else lane.subject)
        try:
            with click.progressbar(messages, length=total, label="Publishing", file=sys.stderr, hidden=hidden) as bar:
                await publisher.publish(bar)
        except PublishError as error:
            raise click.ClickException(f"{publisher.stored} of {total} stored, then: {error}") from None
    return publisher


def _uuids(recipients: Sequence[str], given: str | None, *, alone: bool) -> list[str]:
    if given is None:
        return [str(uuid4()) for _ in recipients]
    return [given] if alone else [f"{given}-{address_hash(recipient)}" for recipient in recipients]


def _listed(uuids: Sequence[str]) -> str:
    return " ".join(uuids) if len(uuids) <= _LISTED else f"{uuids[0]} … {uuids[-1]}"


def _read(option: str, path: str) -> str:
    content = _bytes(option, path)
    if not content.strip():  # the program before the pipe has failed, most likely
        raise click.ClickException(f"{option} {path} is empty; nothing was published")
    try:
        return content.decode()  # not read as text: line ends would be changed
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{option} {path} can't be read: {error}") from None


def _attachment(path: Path) -> dict[str, object]:
    kind, encoding = guess_type(path.name)
    content = _bytes("--attach", str(path))
    # A compressed file is sent as it is; the type of its content would be wrong.
    return {"filename": path.name, "content": content, **({"content_type": kind} if kind and not encoding else {})}


def _bytes(option: str, path: str) -> bytes:
    """Not more than a mail may have: devices and pipes need not end."""
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"{option} {path} can't be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise click.ClickException(f"{option} {path} has more than {MAX_BYTES:,} bytes, which SES takes at most")
    return content


def _message(mail: dict[str, object], recipient: str, uuid: str, zone: tzinfo) -> EmailMessage:
    try:
        return from_value({**mail, "uuid": uuid, "email": recipient}, Reading(zone))
    except UndecodableError as error:
        raise click.ClickException(str(error)) from None
