"""`email-consumer holds`: mail of a topic, a tenant, bulk mail or all mail, held and let go on, through the running sidecar."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say, say_each
from email_consumer.runtime.counted import counted

_PATH = "/v1/holds"


@click.group()
def command() -> None:
    """Show, place and end holds of the program running on this machine.

    KEY is account, lane:bulk, tenant:NAME or topic:ID. Held mail waits in the store; nothing else waits for it.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def list_(*, as_json: bool, data: Path) -> None:
    """List all active holds. Each is shown with the number of mails that wait for it."""
    holds = ask_sidecar(answering(data), "GET", _PATH)["holds"]
    say_each(holds, _line, as_json=as_json, nothing="Nothing is held.")


@command.command()
@click.argument("key")
@click.option("--reason", default="", help="A note, shown in the list.")
@click.option(
    "--until", metavar="TIME", help="When it ends, such as 2027-01-31T09:00:00Z; without it, once somebody ends it."
)
@data_option
def hold(*, key: str, reason: str, until: str | None, data: Path) -> None:
    """Hold mail of KEY."""
    say(_line(ask_sidecar(answering(data), "POST", _PATH, {"key": key, "reason": reason, "until": until})))


@command.command()
@click.argument("key")
@data_option
def resume(*, key: str, data: Path) -> None:
    """End all holds of KEY: its mail goes on."""
    for each in ask_sidecar(answering(data), "DELETE", f"{_PATH}/{quote(key, safe='')}")["holds"]:
        say(f"Ended: {_line(each)}")


def _line(hold: dict[str, Any]) -> str:
    until = f" until {hold['until'][:16]}" if hold["until"] else ""
    reason = f" ({hold['reason']})" if hold["reason"] else ""
    return f"{hold['key']}  by {hold['holder']} since {hold['since'][:16]}{until}, {counted(hold['mails'], 'mail')} waiting{reason}"
