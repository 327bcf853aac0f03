"""`email-consumer cancel`: cancels the unsent mail of a topic."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import orjson

from email_consumer.cli.configuration import answering
from email_consumer.cli.confirmation import confirm, yes_option
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say

UNKNOWN = "mail that still lies in the stream is counted once it is pulled"
_PAUSE = 0.5
_PATIENCE = 600.0
"""Seconds. Mail in doubt is settled after IN_DOUBT_GRACE; a queue that is on hold may take for ever."""


@click.command()
@click.argument("topic")
@click.option("--no-wait", is_flag=True, help="Print the receipt immediately, even if it is not final.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON.")
@data_option
def command(*, topic: str, no_wait: bool, yes: bool, as_json: bool, data: Path) -> None:
    """Cancel the unsent mail of TOPIC and wait until none is left. Mail published later is sent."""
    settings = answering(data)
    path = f"/v1/topics/{quote(topic, safe='')}"
    confirm(f"Cancel all mail of topic {topic!r} that is not sent yet?", yes=yes)
    receipt: dict[str, Any] = ask_sidecar(settings, "DELETE", path, takes_long=True)
    if not receipt["known"]:
        say(f"Topic {topic!r} is not known yet; its cancellation is registered, and {UNKNOWN}.", err=True)
    give_up_at = time.monotonic() + _PATIENCE
    while not no_wait and not receipt["final"] and time.monotonic() < give_up_at:
        time.sleep(_PAUSE)
        receipt = ask_sidecar(settings, "GET", path)["cancellation"]
    say(orjson.dumps(receipt) if as_json else receipt_text(receipt))


def receipt_text(receipt: dict[str, Any]) -> str:
    """The receipt in a sentence."""
    counts = f"Cancelled {receipt['cancelled']}, sent {receipt['sent']}, in flight {receipt['in_flight']}."
    if receipt["final"]:
        return counts
    return f"{counts} Not final yet: what lies in the stream counts as it is pulled."
