"""The messages still to be posted: added in the transaction that causes them, removed once delivered or given up."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from random import random
from time import time

from ses_sandbox.change import Change
from ses_sandbox.database import Database
from ses_sandbox.events.settings import EventSettings
from ses_sandbox.identifiers import random_uuid
from ses_sandbox.sns.envelope import MessageType, SnsMessage
from ses_sandbox.sns.topics import Subscription

SUBJECT = "Amazon SES Email Event Notification"
"""The subject SES gives its events."""

_SHUFFLE_SPREAD = 1.0
"""Seconds within which shuffled messages become due in any order."""

_INSERT = """
INSERT INTO outbox (subscription_arn, topic_arn, type, message_id, subject, message, token, created_at, due_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# Until a subscription is confirmed, it gets nothing but the request to confirm it.
_DUE = """
SELECT outbox.id, attempts, type, message_id, outbox.topic_arn, subscription_arn, message, subject, outbox.token, created_at
FROM outbox JOIN subscriptions ON arn = subscription_arn
WHERE due_at <= ? AND (confirmed OR type != 'Notification') ORDER BY due_at LIMIT ?
"""
_NEXT = """
SELECT min(due_at) FROM outbox JOIN subscriptions ON arn = subscription_arn
WHERE due_at > ? AND (confirmed OR type != 'Notification')
"""


@dataclass(frozen=True, slots=True)
class Posting:
    """One outbox entry in flight."""

    id: int
    attempts: int
    """Failed ones so far."""
    message: SnsMessage


class Outbox:
    """The durable queue between publishers and the delivery worker."""

    def __init__(self, database: Database, settings: EventSettings, keep: int) -> None:
        """`keep` bounds the number of entries; the oldest are dropped first."""
        self.database = database
        self.change = Change()
        """Announced when entries were added or removed."""
        self.settings = settings
        self._keep = keep

    def put(
        self,
        connection: sqlite3.Connection,
        subscriptions: Iterable[Subscription],
        message: str,
        subject: str | None = SUBJECT,
    ) -> str:
        """Add a notification for each subscription, inside the caller's transaction; returns its message id."""
        message_id, now, settings = random_uuid(), time(), self.settings
        for subscription in subscriptions:
            for _ in range(settings.duplicates):
                due = now + settings.delay + (random() * _SHUFFLE_SPREAD if settings.shuffle else 0.0)  # noqa: S311 - no secret
                addressee = (subscription.arn, subscription.topic_arn, MessageType.NOTIFICATION)
                row = (*addressee, message_id, subject, message, "", now, due)
                entry_id = connection.execute(_INSERT, row).lastrowid or 0
                if entry_id > self._keep:
                    connection.execute("DELETE FROM outbox WHERE id <= ?", (entry_id - self._keep,))
        return message_id

    async def publish(self, subscriptions: Iterable[Subscription], message: str, subject: str | None) -> str:
        """Add a notification for each subscription in a separate transaction; returns its message id."""
        message_id = await self.database.write(lambda connection: self.put(connection, subscriptions, message, subject))
        self.change.announce()
        return message_id

    async def put_message(self, message: SnsMessage) -> None:
        """Add one message as it is."""
        row = (
            message.subscription_arn,
            message.topic_arn,
            message.type,
            message.message_id,
            message.subject,
            message.message,
            message.token,
            message.created_at,
            message.created_at,
        )
        await self.database.write(lambda connection: connection.execute(_INSERT, row))
        self.change.announce()

    def due(self, limit: int) -> list[Posting]:
        """The entries due now, oldest first, including those already in flight."""
        rows = self.database.read_now(_DUE, (time(), limit))
        return [Posting(row[0], row[1], SnsMessage(MessageType(row[2]), *row[3:])) for row in rows]

    def next_due(self) -> float | None:
        """When the next entry becomes due, in Unix seconds."""
        [(moment,)] = self.database.read_now(_NEXT, (time(),))
        return float(moment) if moment is not None else None

    async def remove(self, posting: Posting) -> None:
        """Forget an entry: it is delivered or given up."""
        await self.database.write(
            lambda connection: connection.execute("DELETE FROM outbox WHERE id = ?", (posting.id,))
        )
        self.change.announce()

    async def postpone(self, posting: Posting, delay: float) -> None:
        """Try an entry again after `delay` seconds."""
        row = (time() + delay, posting.id)
        await self.database.write(
            lambda connection: connection.execute(
                "UPDATE outbox SET due_at = ?, attempts = attempts + 1 WHERE id = ?", row
            )
        )
        self.change.announce()

    async def pending(self) -> int:
        """Entries that are neither delivered nor given up."""
        [(entries,)] = await self.database.read("SELECT count(*) FROM outbox")
        return int(entries)

    async def clear(self) -> None:
        """Forget everything that was to be posted."""
        await self.database.write(lambda connection: connection.execute("DELETE FROM outbox"))
        self.change.announce()
