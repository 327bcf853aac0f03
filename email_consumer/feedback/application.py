"""Applies events to the tables: statuses, results and suppressions, in one transaction.

The result does not depend on the order in which events arrive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sqlite3 import Row
from types import MappingProxyType

import aiosqlite
import orjson

from email_consumer.core.mail_group import MailReport
from email_consumer.feedback import statements
from email_consumer.feedback.events import Event, Kind, RecipientResult
from email_consumer.feedback.reports import REPORTED, known_reports
from email_consumer.store.database import Database
from email_consumer.store.mail_state import NO_COMPLAINT
from email_consumer.store.status import Status
from email_consumer.suppression.rows import Changes, SuppressionRows
from email_consumer.suppression.suppression import SOFT, Reason, Suppression

_PER_RECIPIENT = frozenset({Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY, Kind.DELIVERY_DELAY})
"""They concern some of a mail's recipients: if these are unreadable, none is assumed."""


_CLOCKS = 3_600.0
"""Seconds: AWS refuses what is signed by a clock that is off by more than minutes."""


@dataclass(slots=True)
class Effects:
    """Changes to be published after the commit."""

    settled: int = 0
    """Mails that were not known to be sent before."""
    changes: Changes = field(default_factory=Changes)
    unmatched: list[Event] = field(default_factory=list)
    """Events whose mail is unknown."""
    reports: list[MailReport] = field(default_factory=list)
    """What became of mails, for the reputation of their topics and tenants."""
    dropped: list[tuple[str, Event]] = field(default_factory=list)
    """Mails (uuid) that SES accepted but did not send, with the event that reports it."""


class MailIndex:
    """The mails that a group of events is about."""

    def __init__(self, rows: Sequence[Row], lives: Mapping[str | None, int]) -> None:
        self._by_message_id = {row["message_id"]: row for row in rows if row["message_id"]}
        tagged = ((row["tag"] or row["uuid"], row) for row in rows)
        self._by_tag = {tag: row for tag, row in tagged if not is_earlier(row, lives.get(tag, 0))}

    def of(self, event: Event) -> Row | None:
        # SES's id first: a uuid that was reused after its idempotency window identifies the newer mail.
        if mail := self._by_message_id.get(event.message_id):
            return mail
        mail = self._by_tag.get(event.tag)
        return None if mail and is_later(mail, event) else mail


def is_earlier(row: Row, life: int) -> bool:
    """Whether the row is about a mail before the one to which its tag belongs since the revision `life`."""
    return bool(0 < row["revision"] < life)


def is_later(row: Row, event: Event) -> bool:
    """Whether the row is about a mail that was still to be sent when SES had already accepted the one of the event.

    The uuid was used for an earlier mail, too, whose row is deleted.
    """
    unsent = row["status"] == Status.CREATED and row["claimed_at"] is None
    return unsent and event.accepted_at < row["created_at"] - _CLOCKS


async def apply_events(
    connection: aiosqlite.Connection,
    events: Sequence[Event],
    rows: SuppressionRows,
    now: float,
    lives: Mapping[str | None, int] = MappingProxyType({}),
) -> Effects:
    """Write all effects of `events`, each of which must be passed only once.

    Args:
        connection: in a transaction.
        events: in any order.
        rows: of the suppression list.
        now: in Unix seconds.
        lives: by tag, the revision since which it belongs to its present mail, if the tables may not show that one yet.
    """
    effects = Effects()
    mails = MailIndex(await _find(connection, events), lives)
    reports = await known_reports(
        connection, [mail["id"] for event in events if event.kind in REPORTED and (mail := mails.of(event))]
    )
    unsettled: dict[int, dict[str, object]] = {}
    results: list[tuple[object, ...]] = []
    for event in events:
        mail = mails.of(event)
        if mail is None:
            effects.unmatched.append(event)
            continue
        if event.proves_acceptance and mail["status"] != Status.SENT and mail["id"] not in unsettled:
            unsettled[mail["id"]] = {"id": mail["id"], "message_id": event.message_id or None, "now": now}
            effects.settled += 1
        if event.kind in {Kind.REJECT, Kind.RENDERING_FAILURE}:
            effects.dropped.append((mail["uuid"], event))
        if event.kind in REPORTED:
            effects.reports.append(reports.add(event, mail))
        results += _results(event, mail)
    if unsettled:
        await connection.executemany(statements.SETTLE, unsettled.values())
    if results:
        await connection.executemany(statements.INSERT_RESULT, results)
    # A hard bounce concerns the address, even if the mail is unknown.
    wanted = [
        suppression
        for event in events
        if not (rows.by_tenant and event.tag and mails.of(event) is None)  # until it is known whose mail it is
        for suppression in suppressions_of(event, _tenant(mails.of(event)) if rows.by_tenant else None)
    ]
    await rows.suppress(connection, wanted, effects.changes)
    await rows.count_soft_bounces(connection, _soft(events), _recipients(events, Kind.DELIVERY), effects.changes)
    return effects


async def knows_later(database: Database, event: Event) -> bool:
    """Whether the tables show a mail with the tag of the event which is not the one of the event; see `is_later`."""
    tags = orjson.dumps([event.tag]).decode()
    rows = await database.fetch(statements.FIND_MAILS, {"message_ids": "[]", "tags": tags})
    return any(is_later(row, event) for row in rows)


async def _find(connection: aiosqlite.Connection, events: Sequence[Event]) -> list[Row]:
    message_ids = orjson.dumps(list({event.message_id for event in events})).decode()
    tags = orjson.dumps(list({event.tag for event in events if event.tag})).decode()
    return list(await connection.execute_fetchall(statements.FIND_MAILS, {"message_ids": message_ids, "tags": tags}))


def _results(event: Event, mail: Row) -> list[tuple[object, ...]]:
    """A row per recipient; the raw event is kept once, in the first."""
    recipients = event.recipients or (RecipientResult("" if event.kind in _PER_RECIPIENT else mail["recipient"]),)
    return [
        (
            mail["id"],
            event.kind,
            result.recipient,
            event.machine,
            result.detail,
            event.raw if place == 0 else "{}",
            event.happened_at,
        )
        for place, result in enumerate(recipients)
    ]


def _soft(events: Sequence[Event]) -> set[str]:
    bounces = (result for event in events if event.kind is Kind.BOUNCE for result in event.recipients)
    return {result.recipient for result in bounces if result.detail == SOFT}


def _recipients(events: Sequence[Event], kind: Kind) -> set[str]:
    return {result.recipient for event in events if event.kind is kind for result in event.recipients}


def _tenant(mail: Row | None) -> str | None:
    return mail["tenant"] if mail else None


def suppressions_of(event: Event, tenant: str | None = None) -> list[Suppression]:
    """The suppressions that an event causes directly: hard bounces and complaints only.

    They stop mail of `tenant`, or with None everybody's.
    """
    if event.kind is Kind.BOUNCE:
        reason, wanted = Reason.HARD_BOUNCE, [result for result in event.recipients if result.is_bad_address]
    elif event.kind is Kind.COMPLAINT:
        reason, wanted = Reason.COMPLAINT, [result for result in event.recipients if result.type not in NO_COMPLAINT]
    else:
        return []
    return [
        Suppression(
            result.recipient,
            reason,
            ": ".join(filter(None, (result.detail, result.diagnostic))),
            "event",
            event.happened_at,
            tenant=tenant,
        )
        for result in wanted
    ]
