"""Events become rows: statuses, results, suppressions, all in one transaction.

Applying is tolerant of order: the tables that a set of events leaves behind don't depend on when each of them came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from sqlite3 import Row

import aiosqlite
import orjson

from email_consumer.feedback import statements
from email_consumer.feedback.events import Event, Fact, Kind
from email_consumer.store.status import Status
from email_consumer.suppression.rows import Changes, SuppressionRows
from email_consumer.suppression.suppression import SOFT, Reason, Suppression

_NO_COMPLAINT = frozenset({"not-spam", "auth-failure"})
"""Feedback types by which a recipient (or a server) says something else than "stop this"; see RFC 5965 and RFC 6591."""

_OF_SOMEBODY = frozenset({Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY, Kind.DELIVERY_DELAY})
"""They concern some of a mail's recipients: where those can't be read, nobody is put in their place."""


@dataclass(slots=True)
class Effects:
    """What became true, to be told to others after the commit."""

    settled: int = 0
    """Mails that were not known to be sent before."""
    changes: Changes = field(default_factory=Changes)
    unmatched: list[Event] = field(default_factory=list)
    """Events whose mail isn't known."""
    given_up: list[tuple[str, Event]] = field(default_factory=list)
    """Mails (uuid) that SES accepted and then did not send, and the event that says so."""


class Mails:
    """The mails that a group of events is about."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._by_message_id = {row["message_id"]: row for row in rows if row["message_id"]}
        self._by_tag = {row["tag"] or row["uuid"]: row for row in rows}

    def of(self, event: Event) -> Row | None:
        # SES's own id first: a uuid that was sent again after its idempotency window names the newer of two mails.
        return self._by_message_id.get(event.message_id) or self._by_tag.get(event.tag)


async def apply_events(
    connection: aiosqlite.Connection, events: Sequence[Event], rows: SuppressionRows, now: float
) -> Effects:
    """Write all effects of `events`, each of which must come here once. `now` in Unix seconds."""
    effects = Effects()
    mails = Mails(await _find(connection, events))
    unsettled: dict[int, dict[str, object]] = {}
    results: list[tuple[object, ...]] = []
    for event in events:
        mail = mails.of(event)
        if mail is None:
            effects.unmatched.append(event)
            continue
        if event.proves and mail["status"] != Status.SENT and mail["id"] not in unsettled:
            unsettled[mail["id"]] = {"id": mail["id"], "message_id": event.message_id or None, "now": now}
            effects.settled += 1
        if event.kind in {Kind.REJECT, Kind.RENDERING_FAILURE}:
            effects.given_up.append((mail["uuid"], event))
        results += _results(event, mail)
    if unsettled:
        await connection.executemany(statements.SETTLE, unsettled.values())
    if results:
        await connection.executemany(statements.INSERT_RESULT, results)
    # A hard bounce is a fact about the address, whosever mail it was.
    wanted = [suppression for event in events for suppression in suppressions_of(event)]
    await rows.suppress(connection, wanted, effects.changes)
    await rows.count_soft_bounces(connection, _soft(events), _recipients(events, Kind.DELIVERY), effects.changes)
    return effects


async def _find(connection: aiosqlite.Connection, events: Sequence[Event]) -> list[Row]:
    message_ids = orjson.dumps(list({event.message_id for event in events})).decode()
    tags = orjson.dumps(list({event.tag for event in events if event.tag})).decode()
    return list(await connection.execute_fetchall(statements.FIND_MAILS, {"message_ids": message_ids, "tags": tags}))


def _results(event: Event, mail: Row) -> list[tuple[object, ...]]:
    """A row per recipient; the event itself is kept once, in the first."""
    facts = event.facts or (Fact("" if event.kind in _OF_SOMEBODY else mail["recipient"]),)
    return [
        (
            mail["id"],
            event.kind,
            fact.recipient,
            event.machine,
            fact.detail,
            event.raw if place == 0 else "{}",
            event.happened_at,
        )
        for place, fact in enumerate(facts)
    ]


def _soft(events: Sequence[Event]) -> set[str]:
    bounces = (fact for event in events if event.kind is Kind.BOUNCE for fact in event.facts)
    return {fact.recipient for fact in bounces if fact.detail == SOFT}


def _recipients(events: Sequence[Event], kind: Kind) -> set[str]:
    return {fact.recipient for event in events if event.kind is kind for fact in event.facts}


def suppressions_of(event: Event) -> list[Suppression]:
    """Those that the event causes by itself: hard bounces and complaints, and only those."""
    if event.kind is Kind.BOUNCE:
        reason, wanted = Reason.HARD_BOUNCE, [fact for fact in event.facts if fact.type == "Permanent"]
    elif event.kind is Kind.COMPLAINT:
        reason, wanted = Reason.COMPLAINT, [fact for fact in event.facts if fact.type not in _NO_COMPLAINT]
    else:
        return []
    return [
        Suppression(
            fact.recipient, reason, ": ".join(filter(None, (fact.detail, fact.diagnostic))), "event", event.happened_at
        )
        for fact in wanted
    ]
