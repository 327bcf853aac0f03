"""The row with everything that SES reports: each outcome and each report also has to become one event out."""

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from math import inf

from nats.js.api import AckPolicy, ConsumerConfig

from benchmarks.crash_proof.harness import PATIENCE, Count
from benchmarks.crash_proof.run_harness import RunHarness
from tests.waiting import until

_EVENTS = "messages-events"
_AT_ONCE = 1000
_BECOMES = {"bounce": ["bounced"], "complaint": ["delivered", "complained"], "success": ["delivered"]}
"""What the sandbox reports about an address whose name begins so."""


def address(number: int) -> str:
    """Every tenth bounces, every tenth complains."""
    return f"{_name(number)}+{number}@simulator.amazonses.com"


def _name(number: int) -> str:
    return {0: "bounce", 1: "complaint"}.get(number % 10, "success")


async def with_events(harness: RunHarness, count: Count) -> Count:
    """The count, and the mails whose row or events out don't say what happened, each event once."""
    await all_out(harness)
    shown = {uuid for (uuid,) in _rows(harness, "SELECT uuid FROM email_requests WHERE status = 2")}
    published = await _published(harness)
    wrong = sum(
        uuid not in shown or published[uuid] != Counter(["sent", *_BECOMES[_name(number)]])
        for number, uuid in enumerate(harness.uuids)
    )
    return replace(count, misshown=wrong)


async def all_out(harness: RunHarness) -> None:
    """Until the daemon has all that SES reports, and no event waits to go out."""
    pending = inf
    while now := (await harness.sandbox.get("/sandbox/events/wait", pending=0, timeout=PATIENCE // 2))["pending"]:
        assert now < pending, f"{now} events are not taken"
        pending = now
    await until(lambda: _rows(harness, "SELECT count(*) FROM outbox WHERE type <> ''") == [(0,)])


async def _published(harness: RunHarness) -> defaultdict[str, Counter[str]]:
    """By UUID, how often the stream holds an event of each type. A mail may have been in doubt meanwhile."""
    jetstream = harness.publishers[0]
    left = (await jetstream.stream_info(_EVENTS)).state.messages
    consumer = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True, inactive_threshold=60)
    subscription = await jetstream.pull_subscribe(f"{_EVENTS}.>", stream=_EVENTS, config=consumer)
    published: defaultdict[str, Counter[str]] = defaultdict(Counter)
    while left:
        for message in await subscription.fetch(min(left, _AT_ONCE), timeout=PATIENCE):
            left -= 1
            event = json.loads(message.data)
            if event["type"] != "in_doubt":
                published[event["uuid"]][event["type"]] += 1
    return published


def _rows(harness: RunHarness, sql: str) -> list[tuple[object, ...]]:
    path = harness.directory / "daemon" / "data" / "email.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def all_published(count: Count) -> str:
    """Exactly once, and so is each event."""
    if count.lost or count.doubled or count.parked:
        return "lost, doubled or parked mail"
    return "mails whose row or events are wrong" if count.misshown else ""
