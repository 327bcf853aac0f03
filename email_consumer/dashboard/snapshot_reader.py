"""Takes a snapshot of everything that the page shows."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence

from email_consumer.core.account import Account
from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import STUCK, Check, reason, reasons
from email_consumer.core.source import QueueDepth, Source
from email_consumer.dashboard import statements
from email_consumer.dashboard.snapshot import Held, Part, Quota, Snapshot
from email_consumer.message.lane import Lane
from email_consumer.store.database import Database

_MEGABYTE = 1_000_000
_PARTS = {"ses", "ledger"}
"""Checks whose parts are always shown."""
_TITLES = {STUCK: "Stuck", "consumer": "Consumer", "dead_letters": "Dead letters", "schedule": "Schedule"}


class SnapshotReader:
    """A snapshot costs a few small requests to the NATS server and two short queries."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        sources: Sequence[Source],
        checks: Mapping[str, Check],
        unconsumed: Callable[[], Unconsumed],
        database: Database,
        account: Callable[[], Account | None],
        refused: Mapping[str, int],
        expects_events: bool,
        holds: Callable[[], tuple[Sequence[Held], int]] = lambda: ((), 0),
    ) -> None:
        """Store what a snapshot is taken of.

        Args:
            metrics: of this process.
            sources: the mail sources; the queues of the first one are shown, one for each lane.
            checks: all checks of `/ready`.
            unconsumed: the latest result of that check.
            database: the ledger's database.
            account: the latest GetAccount result.
            refused: refused SNS messages by cause, since the start.
            expects_events: at least one SNS topic is allowed.
            holds: the first that wait for a decision, and the number of all.
        """
        self._metrics = metrics
        self._sources = sources
        self._checks = checks
        self._unconsumed = unconsumed
        self._database = database
        self._latest_account = account
        self._refused = refused
        self._expects_events = expects_events
        self._holds = holds
        self._account: Account | None = None
        self._sent_before = 0

    async def take(self) -> Snapshot:
        """Unavailable values are null; the part that failed shows the reason."""
        metrics = self._metrics
        (lanes, dead_letters), (in_doubt, last_event, sqlite), sources, blocked = await asyncio.gather(
            self._read_lanes(),
            self._read_database(),
            self._check_sources(),
            self._blocked_parts(),
        )
        holds, number = self._holds()
        return Snapshot(
            unsettled=metrics.unsettled,
            in_flight=metrics.in_flight,
            queue=_joint(list(lanes.values())),
            dead_letters=dead_letters,
            in_doubt=in_doubt,
            quota=self._quota(),
            parts=(*sources, self._ses(), sqlite, self._sns(last_event), *self._single_lanes(), *blocked),
            lanes=lanes,
            holds=tuple(holds),
            holds_number=number,
        )

    async def _read_lanes(self) -> tuple[dict[str, QueueDepth | None], int | None]:
        """The queue of each lane, and the number of dead letters, which have one place."""
        metrics = self._metrics
        unsettled = {
            Lane.TRANSACTIONAL: metrics.unsettled_transactional,
            Lane.BULK: metrics.unsettled - metrics.unsettled_transactional,
        }
        sources = [source for source in self._sources if source.origin == self._sources[0].origin]
        stats = await asyncio.gather(*(source.stats(unsettled[source.lane]) for source in sources))
        lanes = {str(source.lane): each.queue for source, each in zip(sources, stats, strict=True)}
        return lanes, stats[0].dead_letters

    async def _read_database(self) -> tuple[int | None, float | None, Part]:
        try:
            ((in_doubt,),) = await self._database.fetch(statements.COUNT_IN_DOUBT)
            events = await self._database.fetch(statements.LAST_EVENT)
            size = self._database.path.stat().st_size
            await self._database.check()
        except (sqlite3.Error, OSError) as error:
            return None, None, Part("SQLite", "down", str(error))
        return in_doubt, events[0][0] if events else None, Part("SQLite", "up", f"{size / _MEGABYTE:,.1f} MB")

    def _quota(self) -> Quota | None:
        account = self._latest_account()
        if account is not self._account:  # a new GetAccount result; from here on we add our own count
            self._account, self._sent_before = account, self._metrics.recipients_sent
        if account is None:
            return None
        sent_since = self._metrics.recipients_sent - self._sent_before
        return Quota(account.sent_last_24_hours + sent_since, account.max_24_hour_send)

    async def _check_sources(self) -> list[Part]:
        """A part for each source, whatever the number of its lanes."""
        parts: dict[str, Part] = {}
        for source in self._sources:
            name = source.origin.upper()
            part = await _check(name, source.check)
            if name not in parts or part.condition == "down":
                parts[name] = part
        return list(parts.values())

    def _single_lanes(self) -> list[Part]:
        missing = [f"{source.origin.upper()}: {source.one_lane}" for source in self._sources if source.one_lane]
        text = "one lane: transactional mail waits its turn among bulk mail. "
        return [Part("Lanes", "off", text + "; ".join(missing))] if missing else []

    async def _blocked_parts(self) -> list[Part]:
        """Other parts that block mail."""
        shown = {*(source.name for source in self._sources), *_PARTS}
        down = await reasons(self._checks)
        parts = [Part(_TITLES.get(name, name), "held", text) for name, text in down.items() if name not in shown]
        if found := self._unconsumed():
            text = f"{found.messages:,} messages on subjects that no consumer reads, so they are never sent: {found}"
            parts.append(Part("Stream", "held", text))
        return parts

    def _ses(self) -> Part:
        if self._metrics.held:
            return Part("SES", "held", self._metrics.held)
        if self._metrics.bulk_held:
            return Part("SES", "held", f"bulk mail only: {self._metrics.bulk_held}")
        account = self._latest_account()
        if account is None:
            return Part("SES", "up", "sending; the account limits can't be read (ses:GetAccount)")
        access = "" if account.production_access else ", in SES's sandbox: verified recipients only"
        return Part("SES", "up", f"{account.enforcement_status}, {account.max_send_rate:,g}/s{access}")

    def _sns(self, last_event: float | None) -> Part:
        if not self._expects_events:
            return Part("SNS", "off", "no topic is configured; set SNS_TOPIC_ARNS")
        last = "no event yet"
        if last_event is not None:
            last = f"last event {max(0, time.time() - last_event):,.0f} s ago"
        refused = sum(self._refused.values())
        causes = ", ".join(f"{cause} {count}" for cause, count in sorted(self._refused.items()))
        return Part("SNS", "up", f"{last}; refused {refused:,} ({causes})" if refused else last)


def _joint(queues: list[QueueDepth | None]) -> QueueDepth | None:
    """All of them together; None if one is unknown."""
    known = [queue for queue in queues if queue]
    if len(known) < len(queues):
        return None
    oldest = [queue.oldest_at for queue in known if queue.oldest_at is not None]
    return QueueDepth(sum(queue.waiting for queue in known), min(oldest, default=None))


async def _check(name: str, check: Check) -> Part:
    error = await reason(check)
    return Part(name, "down", error) if error else Part(name, "up", "connected")
