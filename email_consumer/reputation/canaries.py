"""Canaries: of each topic a few mails go first; the rest waits until it is known what became of them."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from cachetools import LRUCache

from email_consumer.core.mail_group import MailGroup, MailReport
from email_consumer.holds.hold import Hold, Holder
from email_consumer.holds.hold_list import HoldList, TooManyHoldsError
from email_consumer.holds.keys import topic_key, topic_of
from email_consumer.message.lane import Lane
from email_consumer.reputation import statements
from email_consumer.reputation.reputation import Reputation
from email_consumer.store.database import Database

_ENOUGH = 0.95
"""Share of the mails of which SES must have reported a delivery or a bounce; some servers take hours."""

_MOST_TOPICS = 5_000

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    sent: int
    settled: int = 0
    """Mails that were delivered, bounced or were complained of."""


class Canaries:
    """Of bulk mail alone, once for each topic."""

    def __init__(
        self, database: Database, holds: HoldList, reputation: Reputation, *, mails: int, patience: float
    ) -> None:
        """`mails`: how many of a topic go first; 0 for all. `patience`: seconds after which the rest follows anyway."""
        self._database = database
        self._holds = holds
        self._reputation = reputation
        self._mails = mails
        self._patience = patience
        self._begun: set[str] = set()
        """Topics that have had their canary, or are having it."""
        self._waiting: dict[str, _Waiting] = {}
        """By key."""
        self._settled: LRUCache[str, int] = LRUCache(_MOST_TOPICS)
        """By topic: mails of which something was reported before their canary began to wait."""
        holds.on_end(self._end)

    async def load(self) -> None:
        """Continue what an earlier process began. What is waiting then goes on when its time is over."""
        self._begun = {row["topic_id"] for row in await self._database.fetch(statements.CANARIES)}

    def report(self, report: MailReport) -> None:
        """Count what became of a mail, deliveries included."""
        topic = report.group.topic_id
        if not (self._mails and topic and report.group.lane is Lane.BULK and report.first):
            return
        if waiting := self._waiting.get(topic_key(topic)):
            waiting.settled += 1
        elif topic not in self._begun:
            self._settled[topic] = self._settled.get(topic, 0) + 1

    async def update(self, sent: Iterable[tuple[MailGroup, int]]) -> None:
        """Begin where enough was sent, and end where enough is known. `sent`: mails since the last time, already counted.

        Raises:
            sqlite3.OperationalError: not all of it; call it again.
        """
        begins = set[str]()
        for group, mails in sent:
            topic = group.topic_id
            if self._mails and topic and group.lane is Lane.BULK:
                waiting = self._waiting.get(topic_key(topic))
                if waiting:  # passed the gate before the hold was known
                    waiting.sent += mails
                elif topic not in self._begun:
                    begins.add(topic)
        await asyncio.gather(*map(self._begin, begins))
        for key, waiting in list(self._waiting.items()):
            if waiting.settled >= waiting.sent * _ENOUGH:
                await self._holds.resume(key, by=Holder.CANARY, holder=Holder.CANARY)

    async def _begin(self, topic_id: str) -> None:
        key = topic_key(topic_id)
        counts = self._reputation.counts.get(key)
        sent = counts.total.sent if counts else 0
        if sent < self._mails:
            return
        reason = f"the first {sent:,} mails were sent; waiting for what becomes of them"
        try:
            await self._holds.place(key, reason, Holder.CANARY, until=time.time() + self._patience)
        except TooManyHoldsError as error:
            _log.warning("canary.not_begun", topic_id=topic_id, error=str(error))
        else:
            self._waiting[key] = _Waiting(sent, self._settled.pop(topic_id, 0))
        async with self._database.transaction() as connection:
            await connection.execute(statements.BEGIN_CANARY, (topic_id, time.time()))
        self._begun.add(topic_id)

    def _end(self, hold: Hold) -> None:
        if hold.holder is Holder.CANARY and topic_of(hold.key):
            self._waiting.pop(hold.key, None)
