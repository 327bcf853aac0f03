"""Events out must tell what the tables hold: each event once in the stream, in the order of the commits, none missing, none made up."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import sub
from typing import Any

import orjson

from email_consumer.message.address import normal_form
from email_consumer.outbox.statements import TYPES_BY_RESULT
from email_consumer.outbox.stream import events_stream
from email_consumer.store.status import Status
from tests.simulation.site import STREAM, Site

_RECOGNIZED = 120 * 10**9
"""Nanoseconds in which nats-server recognizes an id."""
_OUTCOMES = {Status.SENT: "sent", Status.FAILED: "failed", Status.STOPPED: "stopped"}


def wait(site: Site) -> bool:
    """Whether events wait to be published."""
    stream = site.server.jetstream.streams.get(events_stream(STREAM))
    if stream is None:
        return False
    published = max((orjson.loads(message.data)["seq"] for message in stream.storage.messages.values()), default=0)
    last = site.rows("SELECT coalesce(max(seq), 0) AS seq FROM outbox WHERE type <> ''")
    return any(row["seq"] > published for row in last)


def violations(site: Site) -> Iterator[str]:
    """Nothing where events are off."""
    stream = site.server.jetstream.streams.get(events_stream(STREAM))
    if stream is None:
        return
    messages = [message for _, message in sorted(stream.storage.messages.items())]
    events = [orjson.loads(message.data) for message in messages]
    copies: defaultdict[str, list[int]] = defaultdict(list)
    for event, message in zip(events, messages, strict=True):
        copies[event["id"]].append(message.stored_at)
    for name, stored in copies.items():
        # Where two databases have published in turns, the last event of one is not the last in the stream.
        recognizable = not site.separate or min(map(sub, stored[1:], stored), default=0) <= _RECOGNIZED
        if len(stored) > 1 and recognizable:
            yield f"the event {name} is {len(stored)} times in the stream"
    yield from _never_happened(site, events)
    if site.separate:  # each ledger tells what it knows
        return
    numbers = [event["seq"] for event in events]
    if numbers != sorted(numbers):
        yield f"events are not in the order in which they were committed: {numbers}"
    yield from _outcomes(site, events)
    yield from _results(site, events)


def _never_happened(site: Site, events: list[dict[str, Any]]) -> Iterator[str]:
    accepted = {normal_form(each.recipients[0]) for mails in site.ses.accepted.values() for each in mails}
    for event in events:
        if event["type"] == "sent" and normal_form(event["email"]) not in accepted:
            yield f"an event says that the mail to {event['email']} was sent, and SES never accepted it"


def _outcomes(site: Site, events: list[dict[str, Any]]) -> Iterator[str]:
    """The last event of a mail's outcome is the one that the tables show."""
    last = {
        normal_form(event["email"]): event["type"]
        for event in events
        if event["type"] in _OUTCOMES.values() and "recipients" not in event
    }
    for row in site.rows("SELECT uuid, email, status FROM email_requests WHERE status >= 2"):
        if "\0" in row["uuid"]:  # a uuid that was given again later
            continue
        wanted, found = _OUTCOMES[Status(row["status"])], last.get(normal_form(row["email"]))
        if wanted != found:
            yield f"the mail to {row['email']} is {wanted}, and the last event about it is {found}"


def _results(site: Site, events: list[dict[str, Any]]) -> Iterator[str]:
    """One event for each recipient of what SES reports."""
    found = Counter((event["type"], event["recipients"][0]) for event in events if "recipients" in event)
    rows = site.rows("SELECT status, recipient FROM email_results WHERE recipient <> ''")
    wanted = Counter(
        (TYPES_BY_RESULT[row["status"]], row["recipient"]) for row in rows if row["status"] in TYPES_BY_RESULT
    )
    for key in found.keys() | wanted.keys():
        if found[key] != wanted[key]:
            yield f"there are {found[key]} events {key}, and {wanted[key]} results"
