"""`email-consumer messages`: mail and what became of it, through the running sidecar."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import click
import orjson

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import OneOf, data_option
from email_consumer.cli.sidecar_request import ask_sidecar, download
from email_consumer.cli.terminal import safe_text, say, say_each
from email_consumer.message.lane import Lane
from email_consumer.settings import Settings
from email_consumer.store.mail_state import MailState

_PAGE = 200

Mail = dict[str, Any]
Command = Callable[..., None]

_FILTERS = (
    click.option("--topic", "topic_id", metavar="TOPIC", help="Only mail of this topic."),
    click.option("--state", type=OneOf([each.value for each in MailState]), help="Only mail in this state."),
    click.option("--lane", type=click.Choice([each.value for each in Lane]), help="Only mail of this lane."),
    click.option("--tenant", metavar="TENANT", help="Only mail of this tenant."),
    click.option("--email", metavar="ADDRESS", help="Only mail to this address."),
    click.option("--domain", metavar="DOMAIN", help="Only mail to addresses of this domain."),
    click.option("--since", metavar="TIME", help="Only mail created at this time or later."),
    click.option("--until", metavar="TIME", help="Only mail created before this time."),
)


def _filtered(command: Command) -> Command:
    """With the options that narrow a list."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Show mail and what became of it, from the program running on this machine."""


@command.command("list")
@_filtered
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of mails.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def list_(*, limit: int, as_json: bool, data: Path, **wanted: str | None) -> None:
    """List mail, latest first, each with its state."""
    say_each(_mails(answering(data), wanted, limit), _line, as_json=as_json, nothing="No such mail.")


@command.command()
@click.argument("uuid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_option
def show(*, uuid: str, as_json: bool, data: Path) -> None:
    """Show one mail with its history."""
    mail = ask_sidecar(answering(data), "GET", f"/v1/messages/{quote(uuid, safe='')}")
    say(orjson.dumps(mail) if as_json else _whole(mail))


@command.command()
@_filtered
@click.option("--format", "kind", type=click.Choice(["csv", "ndjson"]), default="csv", show_default=True)
@click.option("--output", type=click.File("wb"), default="-", help="A file; standard output by default.")
@data_option
def export(*, kind: str, output: BinaryIO, data: Path, **wanted: str | None) -> None:
    """Write all mail of a list, as CSV or as one JSON object per line."""

    def save(piece: bytes) -> None:
        output.write(safe_text(piece.decode(errors="replace")).encode() if output.isatty() else piece)

    download(answering(data), f"/v1/messages.{kind}?{urlencode(_given(wanted))}", save)


def _mails(settings: Settings, wanted: dict[str, str | None], limit: int) -> Iterator[Mail]:
    after: str | None = ""
    while after is not None and limit > 0:
        query = _given(wanted) | {"limit": str(min(limit, _PAGE)), "after": after}
        page = ask_sidecar(settings, "GET", f"/v1/messages?{urlencode(query)}")
        yield from page["mails"]
        after, limit = page["next"], limit - len(page["mails"])


def _given(wanted: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if value}


def _line(mail: Mail) -> str:
    reason = f"  ({mail['reason']})" if mail["reason"] else ""
    topic = f"  {mail['topic_id']}" if mail["topic_id"] else ""
    return f"{mail['created_at'][:19]}  {mail['state']:<10}  {mail['uuid']}  {mail['email']}{topic}{reason}"


_NOT_A_LINE = {"history", "results", "in_doubt"}
"""The first two are shown below the lines; `state` says whether it is in doubt."""


def _whole(mail: Mail) -> str:
    shown = {name: value for name, value in mail.items() if value is not None and name not in _NOT_A_LINE}
    width = max(map(len, shown))
    events = [(each["at"], each["outcome"], each["reason"]) for each in mail["history"]]
    events += [(each["at"], each["kind"], each["recipient"]) for each in mail["results"]]
    lines = [f"{name:<{width}}  {value}" for name, value in shown.items()]
    return "\n".join(lines + [f"{at[:19]}  {what}  {text}" for at, what, text in sorted(events)])
