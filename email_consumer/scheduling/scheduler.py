"""Publishes mail in our own keeping when it is due, no faster than the queue gets rid of it."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import takewhile

import structlog

from email_consumer.core.burial import Burial
from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.mail_queue import (
    MailQueue,
    QueueUnavailableError,
    RefusedByQueueError,
    TooLargeForQueueError,
)
from email_consumer.core.outcome import StopReason
from email_consumer.core.unsent import Unsent
from email_consumer.scheduling.due_mail import DueMail, Message, Unpublishable
from email_consumer.scheduling.misfires import Misfires
from email_consumer.scheduling.publish_window import Window
from email_consumer.scheduling.put_aside import PutAside
from email_consumer.store.status import Status

_GROUP = 250
_LONGEST_SLEEP = 30.0
"""Seconds; the wall clock may be set meanwhile, and what the queue lost shows no other sign."""
_FULL_PAUSE = 0.05
"""Seconds between two looks at a full window: cheaper than a signal for each mail that leaves it."""
_RETRY_PAUSE = 1.0
_REFUSED_PAUSE = 5.0
"""Seconds until mail is tried again that the queue had no room for: the smaller ones behind it may find some."""
_TOO_LARGE_PAUSE = 600.0
"""Seconds until mail is tried again that can't be published before somebody mends something."""

_log = structlog.get_logger(__name__)


class Scheduler:
    """Sleeps until the next mail is due or `wake` is called.

    Published, then noted: a crash in between publishes again, and the message's name or the ledger makes that harmless.
    """

    def __init__(
        self,
        mail: DueMail,
        queue: MailQueue,
        misfires: Misfires,
        dead_letters: DeadLetterStore,
        unsent: Unsent,
        *,
        burial: Burial,
        window: Window | None = None,
        look_every: float = _LONGEST_SLEEP,
    ) -> None:
        """`dead_letters` takes what no message can be made of; `look_every`: seconds between two looks for what got lost."""
        self._mail = mail
        self._queue = queue
        self._misfires = misfires
        self._dead_letters = dead_letters
        self._unsent = unsent
        self._burial = burial
        self._window = window or Window()
        self._look_every = look_every
        self._no_room, self._too_large = PutAside(), PutAside()
        self._complaint = ""
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._next_look = 0.0

    def wake(self) -> None:
        """There is new mail in our keeping."""
        self._wake.set()

    @asynccontextmanager
    async def pausing(self) -> AsyncIterator[None]:
        """Nothing is published until the block ends, and nothing is on its way when it begins."""
        async with self._turn:
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
                async with self._turn:
                    pause = await self._round()
            except (QueueUnavailableError, sqlite3.OperationalError) as error:
                if not self._complaint:
                    _log.warning("schedule.interrupted", error=str(error), retry_every=_RETRY_PAUSE)
                self._complaint = str(error)
                await asyncio.sleep(_RETRY_PAUSE)  # not to be woken: new mail mends nothing
                continue
            if self._complaint and not self._no_room.contents():
                _log.info("schedule.resumed")
                self._complaint = ""
            await self._sleep(pause)

    async def check(self) -> None:
        """Raise while due mail stays here."""
        if self._complaint:
            raise ConnectionError(f"due mail can't be put into the queue: {self._complaint}")

    async def _round(self) -> float:
        """Publish one group; seconds until the next round is worth it."""
        await self._misfires.note_alive()
        self._window.keep_only(await self._mail.outstanding())
        await self._look_for_lost()
        if not self._window.mails:
            return _FULL_PAUSE
        due = await self._mail.take(min(_GROUP, self._window.mails), self._refused)
        if due.expired:
            self._unsent.count(StopReason.EXPIRED, due.expired)
            _log.info(
                "schedule.expired", mails=due.expired, hint="their expires_at had passed when they could be published"
            )
        await self._give_up(due.unpublishable)
        messages = list(takewhile(lambda message: self._window.add(message.id, message.size), due.messages))
        await self._publish(messages)
        next_due = await self._mail.next_due(self._refused)
        pauses = [
            self._look_every,
            self._no_room.wait,
            self._too_large.wait,
            None if next_due is None else next_due - time.time(),
        ]
        # More is due, but there was no room for it.
        full = _FULL_PAUSE if len(messages) < len(due.messages) else 0.0
        return max(min(pause for pause in pauses if pause is not None), full)

    @property
    def _refused(self) -> list[int]:
        return self._no_room.contents() + self._too_large.contents()

    async def _publish(self, messages: list[Message]) -> None:
        if not messages:
            return
        answers = await self._queue.publish([(message.payload, message.headers) for message in messages])
        stored = [(each.id, answer) for each, answer in zip(messages, answers, strict=True) if isinstance(answer, int)]
        if stored:
            await self._mail.note_published(stored)
        failed: list[tuple[Message, Exception]] = [
            (each, answer) for each, answer in zip(messages, answers, strict=True) if isinstance(answer, Exception)
        ]
        unknown = [fault for each, fault in failed if not await self._put_aside(each, fault)]
        too_large = sum(isinstance(fault, TooLargeForQueueError) for _, fault in failed)
        if unknown or (not stored and len(failed) > too_large):
            first = unknown[0] if unknown else failed[-1][1]
            raise QueueUnavailableError(f"{len(failed)} of {len(messages)} not stored: {first}")

    async def _put_aside(self, message: Message, fault: Exception) -> bool:
        """Let the others past a mail that the queue refuses; False where nobody knows whether it did."""
        match fault:
            case TooLargeForQueueError():
                if self._too_large.add(message.content, str(fault), _TOO_LARGE_PAUSE):
                    _log.error(
                        "schedule.too_large",
                        row=message.id,
                        content=message.content,
                        reason=str(fault),
                        hint="it stays here and other mail goes on; raise that limit",
                        retry_in=_TOO_LARGE_PAUSE,
                    )
                    await self._mail.note_refused(message.content, f"not published: {fault}")
            case RefusedByQueueError():
                self._no_room.add(message.content, str(fault), _REFUSED_PAUSE)
            case _:
                return False
        return True

    async def _give_up(self, unpublishable: list[Unpublishable]) -> None:
        """These become dead letters, and then Failed."""
        for row in unpublishable:
            if not await self._burial.bury(self._dead_letters, row, row.kind, row.reason, 0):
                self._too_large.add(row.content, row.reason, _TOO_LARGE_PAUSE)  # it stays here meanwhile
                return
            await self._mail.finish([(row.id, Status.FAILED, row.reason)])
            self._unsent.count(row.kind)

    async def _look_for_lost(self) -> None:
        """What is open but not in the queue any more (a purge, a lost disk) is published again."""
        now = time.monotonic()
        if now < self._next_look:
            return
        before = time.time()
        # Asked first: what is settled after this was in the queue, so it can't be taken for lost below. Asked always: with it
        # the queue learns its limits, which somebody may have raised.
        backlog = await self._queue.backlog()
        if not self._window.empty and (lost := await self._mail.publish_again(before, backlog)):
            _log.warning("schedule.published_again", mails=lost, hint="they were not in the stream any more")
            self._window.keep_only(await self._mail.outstanding())
        self._next_look = now + self._look_every

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LONGEST_SLEEP)):
                await self._wake.wait()
