"""`email-consumer webhooks`: endpoints that get events, through the running sidecar."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click

from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say, say_each

_PATH = "/v1/webhooks"


@click.group()
def command() -> None:
    """Show and change the webhook endpoints of the program running on this machine (EVENTS_OUT=webhooks)."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def list_(*, as_json: bool, data: Path) -> None:
    """List all endpoints with what waits for them."""
    endpoints = ask_sidecar(answering(data), "GET", _PATH)["webhooks"]
    say_each(endpoints, _line, as_json=as_json, nothing="There are no webhook endpoints.")


@command.command()
@click.argument("url")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; may be repeated.")
@click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Only events of this topic; may be repeated.")
@click.option("--lane", type=click.Choice(("transactional", "bulk")), help="Only events of this lane.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("standard", "resend")),
    default="standard",
    show_default=True,
    help="The form of the events: as in docs/events.md, or as Resend posts them.",
)
@data_option
def add(*, url: str, types: Sequence[str], topics: Sequence[str], lane: str | None, form: str, data: Path) -> None:
    """Send events to URL. Prints the endpoint and its secret, which is shown only once."""
    wanted = {"types": list(types) or None, "topics": list(topics) or None, "lane": lane, "format": form}
    added = ask_sidecar(answering(data), "POST", _PATH, {"url": url, **wanted})
    say(_line(added))
    say(f"Secret: {added['secret']}")


@command.command()
@click.argument("endpoint")
@data_option
def remove(*, endpoint: str, data: Path) -> None:
    """Remove ENDPOINT (its id) with its deliveries."""
    say(f"Removed: {_line(ask_sidecar(answering(data), 'DELETE', _one(endpoint)))}")


@command.command()
@click.argument("endpoint")
@data_option
def test(*, endpoint: str, data: Path) -> None:
    """Send a test event to ENDPOINT now."""
    found = ask_sidecar(answering(data), "POST", f"{_one(endpoint)}/test", {})
    if not found["delivered"]:
        raise click.ClickException(found["error"])
    say("Delivered.")


@command.command()
@click.argument("endpoint")
@data_option
def rotate(*, endpoint: str, data: Path) -> None:
    """Give ENDPOINT a new secret. The former one stays valid for a day."""
    say(f"Secret: {ask_sidecar(answering(data), 'POST', f'{_one(endpoint)}/rotate', {})['secret']}")


@command.command()
@click.argument("endpoint")
@data_option
def enable(*, endpoint: str, data: Path) -> None:
    """Enable ENDPOINT after it was disabled; what waits is sent."""
    say(_line(ask_sidecar(answering(data), "POST", f"{_one(endpoint)}/enable", {})))


@command.command()
@click.argument("endpoint")
@click.option("--state", type=click.Choice(("waiting", "delivered", "failed")), help="Only these.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Maximum number, newest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@data_option
def deliveries(*, endpoint: str, state: str | None, limit: int, as_json: bool, data: Path) -> None:
    """Show deliveries to ENDPOINT."""
    query = urlencode({"limit": limit} | ({"state": state} if state else {}))
    found = ask_sidecar(answering(data), "GET", f"{_one(endpoint)}/deliveries?{query}")["deliveries"]
    say_each(found, _delivery, as_json=as_json, nothing="There are no such deliveries.")


@command.command()
@click.argument("endpoint")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]),
    metavar="TIME",
    help="Only events recorded since then, such as 2027-01-31T09:00:00Z; UTC if it names no offset.",
)
@click.option("--delivery", type=int, help="Only this delivery.")
@click.option("--delivered", is_flag=True, help="Also what was delivered already.")
@data_option
def resend(*, endpoint: str, since: datetime | None, delivery: int | None, delivered: bool, data: Path) -> None:
    """Send events to ENDPOINT again."""
    moment = (since if since.tzinfo else since.replace(tzinfo=UTC)).timestamp() if since else 0
    wanted = {"since": moment, "delivery": delivery, "delivered": delivered}
    count = ask_sidecar(answering(data), "POST", f"{_one(endpoint)}/resend", wanted)["deliveries"]
    say(f"{count} {'event is' if count == 1 else 'events are'} sent again.")


def _one(endpoint: str) -> str:
    return f"{_PATH}/{quote(endpoint, safe='')}"


def _line(endpoint: dict[str, Any]) -> str:
    wanted = [f"{name}: {', '.join(endpoint[name])}" for name in ("types", "topics") if endpoint[name]]
    wanted += [f"lane: {endpoint['lane']}"] if endpoint["lane"] else []
    wanted += [f"format: {endpoint['format']}"] if endpoint["format"] != "standard" else []
    state = f"disabled: {endpoint['disabled_reason']}" if endpoint["disabled_at"] else ""
    if not state and endpoint["failing_since"]:
        state = f"failing since {endpoint['failing_since'][:16]}"
    waiting = f"{endpoint['waiting']} waiting" if endpoint["waiting"] else ""
    return "  ".join(filter(None, (endpoint["id"], endpoint["url"], "; ".join(wanted), waiting, state)))


def _delivery(delivery: dict[str, Any]) -> str:
    if delivery["delivered_at"]:
        state = f"delivered {delivery['delivered_at'][:19]}"
    elif delivery["next_at"]:
        state = f"waiting, next attempt {delivery['next_at'][:19]}"
    else:
        state = "given up"
    parts = (str(delivery["id"]), delivery["type"], state, f"attempts: {delivery['attempts']}", delivery["error"] or "")
    return "  ".join(filter(None, parts))
