"""`email-consumer suppressions`: addresses that get no mail, through the running sidecar."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import click
import orjson

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say
from email_consumer.settings import Settings

_PATH = "/v1/suppressions"
_PAGE = 1000
_REASONS = ("complaint", "hard bounce", "unsubscribed", "manual", "soft bounces")

Entry = dict[str, str]


@click.group()
def command() -> None:
    """Show and change the suppression list of the program running on this machine."""


@command.command("list")
@click.option("--reason", type=click.Choice(_REASONS), help="Only addresses suppressed for this reason.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def list_(*, reason: str | None, as_json: bool, data: Path) -> None:
    """List all suppressed addresses, each with its reason."""
    found = False
    for entry in _entries(answering(data), reason):
        found = True
        say(orjson.dumps(entry) if as_json else _line(entry))
    if not found:
        say("No address is suppressed.", err=as_json)


@command.command()
@click.argument("address")
@click.option("--detail", default="", help="A note, shown in the list.")
@data_option
def add(*, address: str, detail: str, data: Path) -> None:
    """Suppress mail to ADDRESS."""
    say(_line(ask_sidecar(answering(data), "POST", _PATH, {"address": address, "detail": detail})))


@command.command()
@click.argument("address")
@data_option
def remove(*, address: str, data: Path) -> None:
    """Allow mail to ADDRESS again."""
    removed = ask_sidecar(answering(data), "DELETE", f"{_PATH}/{quote(address, safe='')}")
    say(f"Removed: {_line(removed)}")


def _entries(settings: Settings, reason: str | None) -> Iterator[Entry]:
    after: str | None = ""
    while after is not None:
        query = {"limit": _PAGE, "after": after} | ({"reason": reason} if reason else {})
        page = ask_sidecar(settings, "GET", f"{_PATH}?{urlencode(query)}")
        yield from page["suppressions"]
        after = page["next"]


def _line(entry: Entry) -> str:
    detail = f" ({entry['detail']})" if entry["detail"] else ""
    return f"{entry['address']}  {entry['reason']} since {entry['created_at'][:16]}{detail}"
