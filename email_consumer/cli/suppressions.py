"""`email-consumer suppressions`: addresses that get no mail, through the running sidecar."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import OneOf, data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say, say_each
from email_consumer.settings import Settings

_PATH = "/v1/suppressions"
_PAGE = 1000
_REASONS = ("complaint", "hard bounce", "unsubscribed", "manual", "soft bounces")

Entry = dict[str, Any]


@click.group()
def command() -> None:
    """Show and change the suppression list of the program running on this machine."""


@command.command("list")
@click.option("--reason", type=OneOf(_REASONS), help="Only addresses suppressed for this reason.")
@click.option("--group", metavar="GROUP", help="Only addresses that left this unsubscribe group.")
@click.option("--tenant", metavar="TENANT", help="Only addresses that this tenant's mail is kept away from.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def list_(*, reason: str | None, group: str | None, tenant: str | None, as_json: bool, data: Path) -> None:
    """List all suppressed addresses, each with its reason."""
    entries = _entries(answering(data), {"reason": reason, "group": group, "tenant": tenant})
    say_each(entries, _line, as_json=as_json, nothing="No address is suppressed.")


@command.command()
@click.argument("address")
@click.option("--detail", default="", help="A note, shown in the list.")
@click.option("--group", metavar="GROUP", help="Stop only bulk mail of this unsubscribe group.")
@click.option("--tenant", metavar="TENANT", help="Stop only mail of this tenant.")
@click.option("--bulk", is_flag=True, help="Stop only bulk mail, as if the recipient had unsubscribed.")
@data_option
def add(*, address: str, detail: str, group: str | None, tenant: str | None, bulk: bool, data: Path) -> None:
    """Suppress mail to ADDRESS. Options narrow it down from all mail."""
    new = {"address": address, "detail": detail, "group": group, "reason": "unsubscribed" if bulk else "manual"}
    say(_line(ask_sidecar(answering(data), "POST", _PATH, new | ({"tenant": tenant} if tenant else {}))))


@command.command()
@click.argument("address")
@click.option("--group", metavar="GROUP", help="Remove the entry of this unsubscribe group.")
@click.option("--tenant", metavar="TENANT", help="Remove the entry of this tenant.")
@data_option
def remove(*, address: str, group: str | None, tenant: str | None, data: Path) -> None:
    """Allow mail to ADDRESS again. The entry that stops most of it is removed; further entries stay."""
    chosen = {name: value for name, value in (("group", group), ("tenant", tenant)) if value}
    query = f"?{urlencode(chosen)}" if chosen else ""
    removed = ask_sidecar(answering(data), "DELETE", f"{_PATH}/{quote(address, safe='')}{query}")
    say(f"Removed: {_line(removed)}")
    for entry in removed["also"]:
        say(f"Still suppressed: {_line(entry)}")


def _entries(settings: Settings, wanted: dict[str, str | None]) -> Iterator[Entry]:
    after: str | None = ""
    given = {name: value for name, value in wanted.items() if value}
    while after is not None:
        query = {"limit": _PAGE, "after": after} | given
        page = ask_sidecar(settings, "GET", f"{_PATH}?{urlencode(query)}")
        yield from page["suppressions"]
        after = page["next"]


def _line(entry: Entry) -> str:
    detail = f" ({entry['detail']})" if entry["detail"] else ""
    group = f" from {entry['group']}" if entry["group"] else ""
    tenant = f" of {entry['tenant']}'s mail" if entry["tenant"] else ""
    return f"{entry['address']}  {entry['reason']}{group}{tenant} since {entry['created_at'][:16]}{detail}"
