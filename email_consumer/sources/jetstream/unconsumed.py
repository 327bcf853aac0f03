"""Mail on subjects of the stream that no consumer takes: NATS acknowledges it, and nobody ever sends it."""

from collections.abc import Mapping
from typing import Any

from nats.aio.client import Client

from email_consumer.core.mail_queue import Unconsumed
from email_consumer.jetstream.api import ask

MOST_SUBJECTS = 1_000
"""That are asked for by name."""
_MOST_CONSUMERS = 1_024
_NAMED = 10
_LONGEST = 100


async def find_unconsumed(client: Client, stream: str) -> Unconsumed:
    """What lies in the stream for nobody.

    Raises:
        nats.errors.Error: no answer, or no such stream.
    """
    info = await ask(client, f"STREAM.INFO.{stream}")
    state = info["state"]
    if not state["messages"]:
        return Unconsumed()
    consumers = await _consumers(client, stream)
    if state.get("num_subjects", 0) > MOST_SUBJECTS:
        return Unconsumed(others=_left_over(info, consumers))
    detail = await ask(client, f"STREAM.INFO.{stream}", {"subjects_filter": ">"})
    filters = [found for consumer in consumers for found in _filters(consumer["config"])]
    counts = detail["state"].get("subjects") or {}
    lost = {subject: count for subject, count in counts.items() if not any(covers(each, subject) for each in filters)}
    fullest = sorted(lost.items(), key=lambda item: (-item[1], item[0]))
    named = tuple((subject[:_LONGEST], count) for subject, count in fullest[:_NAMED])
    return Unconsumed(named, sum(count for _, count in fullest[_NAMED:]))


def covers(filter_: str, subject: str) -> bool:
    """Whether a consumer with this filter takes the subject."""
    wanted, tokens = filter_.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, tokens = wanted[:-1], tokens[: len(wanted) - 1] if len(tokens) >= len(wanted) else []
        if not tokens and wanted:
            return False
    return len(wanted) == len(tokens) and all(want in {"*", token} for want, token in zip(wanted, tokens, strict=True))


async def _consumers(client: Client, stream: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < _MOST_CONSUMERS:
        page = await ask(client, f"CONSUMER.LIST.{stream}", {"offset": len(found)})
        found += page["consumers"] or []
        if not page["consumers"] or len(found) >= page["total"]:
            break
    return found


def _filters(config: Mapping[str, Any]) -> list[str]:
    return config.get("filter_subjects") or [config.get("filter_subject") or ">"]


def _left_over(info: Mapping[str, Any], consumers: list[dict[str, Any]]) -> int:
    """In a work queue all that is there is somebody's, or nobody's; another stream also keeps what was taken."""
    if info["config"]["retention"] != "workqueue":
        return 0
    taken: int = sum(consumer["num_pending"] + consumer["num_ack_pending"] for consumer in consumers)
    held: int = info["state"]["messages"]
    return max(0, held - taken)
