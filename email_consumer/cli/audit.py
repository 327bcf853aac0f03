"""`email-consumer audit`: who did what, through the running sidecar."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar, download
from email_consumer.cli.terminal import safe_text, say_each

_PATH = "/v1/audit"


@click.group()
def command() -> None:
    """Show what operators did with the program running on this machine."""


@command.command("list")
@click.option("--key", metavar="KEY_ID", default="", help="Only actions with this key; `root` for those of API_KEY.")
@click.option("--action", metavar="TEXT", default="", help="Only actions that contain this, such as DELETE.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Maximum number.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def list_(*, key: str, action: str, limit: int, as_json: bool, data: Path) -> None:
    """List actions, latest first."""
    query = urlencode({"key": key, "action": action, "limit": limit})
    actions = ask_sidecar(answering(data), "GET", f"{_PATH}?{query}")["actions"]
    say_each(actions, _line, as_json=as_json, nothing="There are no such actions.")


@command.command()
@click.option("--format", "form", type=click.Choice(("csv", "ndjson")), default="csv", show_default=True)
@data_option
def export(*, form: str, data: Path) -> None:
    """Write the whole audit log to standard output."""
    download(answering(data), f"{_PATH}.{form}", sys.stdout.buffer.write)


def _line(action: dict[str, Any]) -> str:
    refused = "refused" if action["status"] == 403 else ""  # noqa: PLR2004
    key = f"{action['key_id']} ({action['key_name']})"
    parts = (action["at"][:19], key, action["action"], action["target"], refused, f"from {action['address']}")
    return safe_text("  ".join(filter(None, parts)))
