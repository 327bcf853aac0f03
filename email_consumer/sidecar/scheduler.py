"""Publishes mail in our own keeping when it is due, no faster than the queue gets rid of it."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from email_consumer.mail_queue import MailQueue, QueueUnavailableError
from email_consumer.sidecar.due_mail import DueMail, Message
from email_consumer.sidecar.misfires import Misfires
from email_consumer.sidecar.window import Window
from email_consumer.store.status import Status

_GROUP = 250
_LONGEST_SLEEP = 30.0
"""Seconds; the wall clock may be set meanwhile, and what the queue lost shows no other sign."""
_FULL_PAUSE = 0.05
"""Seconds between two looks at a full window: cheaper than a signal for each mail that leaves it."""
_RETRY_PAUSE = 1.0

_log = structlog.get_logger(__name__)


class Scheduler:
    """Sleeps until the next mail is due or `wake` is called.

    Published, then noted: a crash in between publishes again, and the message's name or the ledger makes that harmless.
    """

    def __init__(self, mail: DueMail, queue: MailQueue, misfires: Misfires, window: Window | None = None) -> None:
        self._mail = mail
        self._queue = queue
        self._misfires = misfires
        self._window = window or Window()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._next_lost_check = 0.0

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
        complaint = ""
        while True:
            self._wake.clear()
            try:
                if not settled:
                    await self._misfires.settle()
                    settled = True
                async with self._turn:
                    pause = await self._round()
            except (QueueUnavailableError, sqlite3.OperationalError) as error:
                if not complaint:
                    _log.warning("schedule.interrupted", error=str(error), retry_every=_RETRY_PAUSE)
                complaint = str(error)
                await asyncio.sleep(_RETRY_PAUSE)  # not to be woken: new mail mends nothing
                continue
            if complaint:
                _log.info("schedule.resumed")
                complaint = ""
            await self._sleep(pause)

    async def _round(self) -> float:
        """Publish one group; seconds until the next round is worth it."""
        await self._misfires.note_alive()
        self._window.keep_only(await self._mail.outstanding())
        await self._look_for_lost()
        if not self._window.mails:
            return _FULL_PAUSE
        due = await self._mail.take(min(_GROUP, self._window.mails))
        messages = await self._that_fit(due)
        await self._publish(messages)
        next_due = await self._mail.next_due()
        if next_due is None:
            return _LONGEST_SLEEP
        # More is due, but there was no room for it.
        return max(next_due - time.time(), _FULL_PAUSE if len(messages) < len(due) else 0.0)

    async def _that_fit(self, due: list[Message]) -> list[Message]:
        """As many as the window has room for, oldest first, without those that NATS would never take."""
        fitting, too_large = [], []
        for message in due:
            if message.size > self._queue.max_payload:
                too_large.append(message.id)
            elif self._window.add(message.id, message.size):
                fitting.append(message)
            else:
                break
        if too_large:
            reason = f"larger than the queue takes ({self._queue.max_payload} bytes: NATS's max_payload, the stream's max_msg_size)"
            _log.error("schedule.too_large", mails=len(too_large), reason=reason)
            await self._mail.finish([(mail, Status.FAILED, reason) for mail in too_large])
        return fitting

    async def _publish(self, messages: list[Message]) -> None:
        if not messages:
            return
        faults = await self._queue.publish([(message.payload, message.headers) for message in messages])
        stored = [message.id for message, fault in zip(messages, faults, strict=True) if fault is None]
        if stored:
            await self._mail.note_published(stored)
        if failed := [fault for fault in faults if fault is not None]:
            raise QueueUnavailableError(f"{len(failed)} of {len(messages)} not stored: {failed[0]}")

    async def _look_for_lost(self) -> None:
        """What is open but not in the queue any more (a purge, a lost disk) is published again."""
        now = time.monotonic()
        if self._window.empty or now < self._next_lost_check:
            return
        before = time.time()
        # Asked first: what is settled after this was in the queue, so it can't be taken for lost below.
        if (await self._queue.backlog()).unsettled == 0 and (lost := await self._mail.publish_again(before)):
            _log.warning("schedule.published_again", mails=lost, hint="they were not in the stream any more")
            self._window.keep_only(await self._mail.outstanding())
        self._next_lost_check = now + _LONGEST_SLEEP

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LONGEST_SLEEP)):
                await self._wake.wait()
