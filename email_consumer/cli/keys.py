"""`email-consumer keys`: API keys with scopes, through the running sidecar."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say, say_each

_PATH = "/v1/keys"


@click.group()
def command() -> None:
    """Make, list and remove API keys of the program running on this machine."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def list_(*, as_json: bool, data: Path) -> None:
    """List all keys, with what they allow; not those in API_KEY."""
    keys = ask_sidecar(answering(data), "GET", _PATH)["keys"]
    say_each(keys, _line, as_json=as_json, nothing="There are no keys but those in API_KEY.")


@command.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(("send", "read", "admin")),
    help="What it allows; may be repeated. admin includes the others.",
)
@click.option(
    "--topic", "topics", multiple=True, metavar="TOPIC", help="Send mail of this topic only, or of `prefix*`."
)
@click.option("--sender", "senders", multiple=True, metavar="SENDER", help="Send as this address or domain only.")
@click.option("--lane", type=click.Choice(("transactional", "bulk")), help="Send mail of this lane only.")
@click.option("--tenant", metavar="TENANT", help="Send mail of this tenant only.")
@click.option("--expires-at", metavar="TIME", help="Valid until then.")
@data_option
def add(*, name: str, scopes: Sequence[str], data: Path, **limits: object) -> None:
    """Make a key called NAME. It is printed once, and nobody can get it again."""
    given = {field: value for field, value in limits.items() if value}
    added = ask_sidecar(answering(data), "POST", _PATH, {"name": name, "scopes": scopes, **given})
    say(_line(added))
    say(f"Key: {added['key']}")


@command.command()
@click.argument("key_id")
@data_option
def remove(*, key_id: str, data: Path) -> None:
    """Remove KEY_ID (as listed): it grants nothing from now on."""
    removed = ask_sidecar(answering(data), "DELETE", f"{_PATH}/{quote(key_id, safe='')}")
    say(f"Removed: {_line(removed)}")


def _line(key: dict[str, Any]) -> str:
    limits = [f"{name}: {', '.join(key[name])}" for name in ("topics", "senders") if key[name]]
    limits += [f"{name}: {key[name]}" for name in ("lane", "tenant") if key[name]]
    expiry = f"expire{'d' if key['expired'] else 's'} {key['expires_at'][:16]}" if key["expires_at"] else ""
    used = f"last used {key['last_used_at'][:16]}" if key["last_used_at"] else "not used yet"
    parts = (key["id"], f"{key['hint']}…", key["name"], ",".join(key["scopes"]), "; ".join(limits), expiry, used)
    return "  ".join(filter(None, parts))
