"""`email-consumer stats`: a topic's statistics, or those of the last hours."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import orjson

from email_consumer.cli.cancel import UNKNOWN, receipt_text
from email_consumer.cli.configuration import answering
from email_consumer.cli.options import data_option
from email_consumer.cli.sidecar_request import ask_sidecar
from email_consumer.cli.terminal import say
from email_consumer.settings import Settings


@click.command()
@click.argument("topic", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_option
def command(*, topic: str | None, as_json: bool, data: Path) -> None:
    """Show the results of TOPIC; without TOPIC, how much was sent and whether all is well."""
    settings = answering(data)
    if topic is None:
        overview, reasons = _overview(settings)
        say(orjson.dumps(overview) if as_json else _overview_text(overview, reasons))
    else:
        found = ask_sidecar(settings, "GET", f"/v1/topics/{quote(topic, safe='')}")
        if not found["known"] and not found["cancellation"]:
            raise click.ClickException(f"topic {topic!r} is not known; {UNKNOWN}")
        say(orjson.dumps(found) if as_json else _topic_text(found))


def _overview(settings: Settings) -> tuple[dict[str, Any], dict[str, str]]:
    """The numbers, and why what is down is."""
    sent = {
        f"sent_{hours}h": ask_sidecar(settings, "GET", f"/v1/events/counts/sent?hours={hours}")["count"]
        for hours in (1, 24)
    }
    ready = ask_sidecar(settings, "GET", "/ready", expected=(200, 503))
    return sent | {"down": ready["down"]}, ready["reasons"]


def _overview_text(found: dict[str, Any], reasons: dict[str, str]) -> str:
    state = "\n".join(f"No mail goes through ({name}): {reason}." for name, reason in reasons.items()) or "All is up."
    return f"{_table({'Sent, last hour': found['sent_1h'], 'Sent, last 24 hours': found['sent_24h']})}\n{state}"


def _topic_text(found: dict[str, Any]) -> str:
    parts = [_table(found["request_counts"]), "", "Distinct recipients", _table(found["result_counts"])]
    parts += ["", _progress_text(found["progress"])]
    if found["cancellation"]:
        parts += ["", receipt_text(found["cancellation"])]
    return "\n".join(parts)


def _progress_text(progress: dict[str, Any]) -> str:
    """How much is left, and for how long."""
    unseen = "; the stream does not respond" if progress["unseen"] is None else ""
    if progress["unseen"]:
        unseen = f"; {progress['unseen']:,} mails wait in the stream unseen, some perhaps of this topic"
    if progress["finished"]:
        return "Finished."
    left = f"{progress['remaining']:,} of {progress['total']:,} remain{unseen}."
    if progress["remaining"] and progress["remaining_seconds"] is not None:
        duration = timedelta(seconds=round(progress["remaining_seconds"]))
        left += f" At {progress['sent_per_second']:,.1f} a second they take {duration}."
    return left


def _table(numbers: dict[str, object]) -> str:
    width = max(len(name) for name in numbers)
    return "\n".join(f"{name:<{width}}  {number:>9,}" for name, number in numbers.items())
