"""Publishes stored mail when it is due, no faster than the queue drains."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import takewhile

import structlog

from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.mail_queue import (
    MailQueue,
    QueueUnavailableError,
    RefusedByQueueError,
    TooLargeForQueueError,
)
from email_consumer.core.outcome import StopReason
from email_consumer.core.unsent import Unsent
from email_consumer.message.lane import Lane
from email_consumer.scheduling.deferred import Deferred, Excluded, StoredContent
from email_consumer.scheduling.due_mail import DueMail, Message, Unpublishable
from email_consumer.scheduling.misfires import Misfires
from email_consumer.scheduling.publish_window import PublishWindow
from email_consumer.store.status import Status

_GROUP = 250
_LONGEST_SLEEP = 30.0
"""Seconds; the wall clock may be changed meanwhile."""
_CHECK_EVERY = 5.0
"""Seconds between checks for lost messages: nothing tells that somebody deleted the stream, or made it again."""
_FULL_PAUSE = 0.05
"""Seconds between checks of a full window: cheaper than a signal for each mail that leaves it."""
_RETRY_PAUSE = 1.0
_REFUSED_PAUSE = 5.0
"""Seconds before retrying mail that the queue had no room for; smaller mails may still fit."""
_TOO_LARGE_PAUSE = 600.0
"""Seconds before retrying mail that can't be published until an operator changes something."""

_log = structlog.get_logger(__name__)


class Scheduler:
    """Sleeps until the next mail is due or `wake` is called.

    Mail is published first and then marked: after a crash in between it is published again, and the stream's deduplication or
    the ledger makes that harmless.
    """

    def __init__(
        self,
        mail: DueMail,
        queue: MailQueue,
        misfires: Misfires,
        dead_letters: DeadLetterStore,
        unsent: Unsent,
        *,
        dead_letter_writer: DeadLetterWriter,
        windows: Mapping[Lane, PublishWindow] | None = None,
        check_interval: float = _CHECK_EVERY,
    ) -> None:
        """`dead_letters` stores what can't be published; `check_interval`: seconds between checks for lost messages.

        `windows`: one for each lane, so that bulk mail that is due does not hold up transactional mail.
        """
        self._mail = mail
        self._queue = queue
        self._misfires = misfires
        self._dead_letters = dead_letters
        self._unsent = unsent
        self._writer = dead_letter_writer
        self._windows = windows or {lane: PublishWindow() for lane in Lane}
        self._check_interval = check_interval
        self._no_room, self._too_large = Deferred[StoredContent](), Deferred[StoredContent]()
        self._unstored = Deferred[int]()
        """Mails (row ids) whose dead letters are not stored."""
        self._error = ""
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._next_check = 0.0

    def wake(self) -> None:
        """New mail was stored."""
        self._wake.set()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing is published until the block ends; publishing in progress is finished first."""
        async with self._lock:
            yield

    async def run(self) -> None:
        """Until cancelled."""
        settled = False
        while True:
            self._wake.clear()
            try:
                if not settled:
                    self._unsent.count(StopReason.MISFIRED, await self._misfires.settle())
                    settled = True
                async with self._lock:
                    pause = await self._round()
            except (QueueUnavailableError, sqlite3.OperationalError) as error:
                if not self._error:
                    _log.warning("schedule.interrupted", error=str(error), retry_every=_RETRY_PAUSE)
                self._error = str(error)
                await asyncio.sleep(_RETRY_PAUSE)  # without reacting to `wake`: new mail changes nothing
                continue
            if self._error and not self._no_room.current():
                _log.info("schedule.resumed")
                self._error = ""
            await self._sleep(pause)

    async def check(self) -> None:
        """Raise while due mail can't be published."""
        if self._error:
            raise ConnectionError(f"due mail can't be put into the queue: {self._error}")

    async def _round(self) -> float:
        """Publish a group of each lane; seconds until the next round is useful."""
        await self._misfires.record_alive()
        await self._update_windows()
        await self._republish_lost()
        return min([await self._round_of(lane) for lane in (Lane.TRANSACTIONAL, Lane.BULK)])

    async def _update_windows(self) -> None:
        outstanding = await self._mail.outstanding()
        transactional = {mail for mail in outstanding if mail in self._windows[Lane.TRANSACTIONAL]}
        self._windows[Lane.TRANSACTIONAL].keep_only(transactional)
        self._windows[Lane.BULK].keep_only(outstanding - transactional)  # what a former process published, too

    async def _round_of(self, lane: Lane) -> float:
        window = self._windows[lane]
        if not window.mails:
            return _FULL_PAUSE
        due = await self._mail.take(lane, min(_GROUP, window.mails), self._excluded)
        if due.expired:
            self._unsent.count(StopReason.EXPIRED, due.expired)
            _log.info(
                "schedule.expired", mails=due.expired, hint="their expires_at had passed when they could be published"
            )
        await self._write_dead_letters(due.unpublishable)
        messages = list(takewhile(lambda message: window.add(message.id, message.size), due.messages))
        await self._publish(messages)
        next_due = await self._mail.next_due(lane, self._excluded)
        pauses = [
            self._check_interval,
            self._no_room.wait,
            self._too_large.wait,
            self._unstored.wait,
            None if next_due is None else next_due - time.time(),
        ]
        # More is due, but the window is full.
        full = _FULL_PAUSE if len(messages) < len(due.messages) else 0.0
        return max(min(pause for pause in pauses if pause is not None), full)

    @property
    def _excluded(self) -> Excluded:
        return Excluded(self._no_room.current() + self._too_large.current(), self._unstored.current())

    async def _publish(self, messages: list[Message]) -> None:
        if not messages:
            return
        answers = await self._queue.publish([(message.payload, message.headers) for message in messages])
        stored = [(each.id, answer) for each, answer in zip(messages, answers, strict=True) if isinstance(answer, int)]
        if stored:
            await self._mail.mark_published(stored)
        failed: list[tuple[Message, Exception]] = [
            (each, answer) for each, answer in zip(messages, answers, strict=True) if isinstance(answer, Exception)
        ]
        unknown = [error for each, error in failed if not await self._defer(each, error)]
        too_large = sum(isinstance(error, TooLargeForQueueError) for _, error in failed)
        if unknown or (not stored and len(failed) > too_large):
            first = unknown[0] if unknown else failed[-1][1]
            raise QueueUnavailableError(f"{len(failed)} of {len(messages)} not stored: {first}")

    async def _defer(self, message: Message, error: Exception) -> bool:
        """Defer a mail that the queue refuses; False if it is unknown whether it was stored."""
        match error:
            case TooLargeForQueueError():
                if self._too_large.add(message.content, str(error), _TOO_LARGE_PAUSE):
                    _log.error(
                        "schedule.too_large",
                        row=message.id,
                        content=message.content.id,
                        reason=str(error),
                        hint="it stays here and other mail goes on; raise that limit",
                        retry_in=_TOO_LARGE_PAUSE,
                    )
                    await self._mail.record_refusal(message.content, f"not published: {error}")
            case RefusedByQueueError():
                self._no_room.add(message.content, str(error), _REFUSED_PAUSE)
            case _:
                return False
        return True

    async def _write_dead_letters(self, unpublishable: list[Unpublishable]) -> None:
        """Make them dead letters, then mark them Failed."""
        for index, row in enumerate(unpublishable):
            if not await self._writer.write(self._dead_letters, row, row.kind, row.reason, 0):
                for left in unpublishable[index:]:  # they stay stored meanwhile; each try may take seconds
                    self._unstored.add(left.id, left.reason, _TOO_LARGE_PAUSE)
                return
            await self._mail.finish([(row.id, Status.FAILED, row.reason)])
            self._unsent.count(row.kind)

    async def _republish_lost(self) -> None:
        """Publish open mail again that is no longer in the queue, as after a purge or a lost disk."""
        now = time.monotonic()
        if now < self._next_check:
            return
        before = time.time()
        # Before the query: what is settled after this was in the queue, so it can't be mistaken for lost. Always: it also
        # refreshes the queue's limits, which may have been raised.
        backlog = await self._queue.backlog()
        if not all(window.empty for window in self._windows.values()) and (
            lost := await self._mail.unpublish_lost(before, backlog)
        ):
            _log.warning("schedule.republished", mails=lost, hint="they were no longer in the stream")
            await self._update_windows()
        self._next_check = now + self._check_interval

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LONGEST_SLEEP)):
                await self._wake.wait()
