"""A source of mail that is a list in memory: what a third kind of source has to be, and no more."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from email_consumer.core.delivery import Delivery, Original
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.mail_queue import Backlog, Mark, Unconsumed
from email_consumer.core.source import QueueDepth, SourceStats
from email_consumer.core.stall_detector import SourceProgress
from email_consumer.message.lane import Lane

NAME = "memory"


@dataclass
class Stored:
    """A message that isn't settled."""

    sequence: int
    payload: bytes
    headers: Mapping[str, str]
    stored_at: float
    received: int = 0
    visible_at: float = -math.inf
    """Event-loop clock: not delivered (again) before."""


@dataclass
class KeptLetter:
    """A dead letter."""

    payload: bytes
    headers: Mapping[str, str]
    kind: str
    reason: str
    attempts: int


class MemoryDelivery:
    """See `email_consumer.core.delivery.Delivery`."""

    source = NAME
    stream = "list"
    lane = Lane.BULK

    def __init__(self, queue: "MemoryQueue", message: Stored) -> None:
        self._queue = queue
        self._message = message
        self._settled = False
        self.payload = message.payload
        self.headers = message.headers
        self.sequence = message.sequence
        self.reference = f"list:{message.sequence}"
        self.received = message.received
        self.stored_at = message.stored_at

    async def ack(self) -> None:
        self._settled = True
        self._queue.unsettled.pop(self.sequence, None)
        self._queue.settled += 1
        self._queue.notify()

    async def nak(self, delay: float) -> None:
        self._settled = True
        self._queue.hide(self._message, delay)

    async def term(self) -> None:
        await self.ack()

    async def in_progress(self) -> None:
        if not self._settled:
            self._queue.hide(self._message, self._queue.ack_wait)


@dataclass
class MemoryQueue:
    """See `email_consumer.core.mail_queue.MailQueue`."""

    ack_wait: float = 30.0
    """Seconds until a delivery that nobody spoke of is delivered again."""
    max_payload: int = 1_000_000
    unsettled: dict[int, Stored] = field(default_factory=dict)
    settled: int = 0
    last: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        answers: list[int | Exception] = []
        for payload, headers in messages:
            self.last += 1
            self.unsettled[self.last] = Stored(self.last, payload, headers, time.time())
            answers.append(self.last)
        self.notify()
        return answers

    async def mark(self) -> Mark:
        return Mark("list", self.last, time.time())

    async def backlog(self) -> Backlog:
        floor = min(self.unsettled, default=self.last + 1) - 1
        return Backlog(floor, len(self.unsettled), len(self._hidden()), "list", self.last)

    def take(self) -> MemoryDelivery | None:
        """The first message that is visible, hidden from now on."""
        now = asyncio.get_running_loop().time()
        for message in self.unsettled.values():
            if message.visible_at <= now:
                message.received += 1
                self.hide(message, self.ack_wait)
                return MemoryDelivery(self, message)
        return None

    def hide(self, message: Stored, seconds: float) -> None:
        message.visible_at = asyncio.get_running_loop().time() + seconds
        self.notify()

    def notify(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def wait(self) -> None:
        """Until something changes, or a message becomes visible."""
        self._changed.clear()
        now = asyncio.get_running_loop().time()
        hidden = [message.visible_at for message in self.unsettled.values() if message.visible_at > now]
        try:
            async with asyncio.timeout_at(min(hidden, default=None)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _hidden(self) -> list[Stored]:
        return [message for message in self.unsettled.values() if message.received]


class MemoryDeadLetters:
    """See `email_consumer.core.dead_letters.DeadLetterStore`."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, float], KeptLetter] = {}

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        key = (original.reference, original.stored_at)
        self.kept.setdefault(key, KeptLetter(original.payload, original.headers, kind, reason, attempts))


class MemoryReceiver:
    """See `email_consumer.core.source.Receiver`."""

    def __init__(self, queue: MemoryQueue, slots: DeliverySlots, start: Callable[[Delivery], None]) -> None:
        self._queue = queue
        self._slots = slots
        self._start = start
        self._stopping = False
        slots.on_change(queue.notify)

    async def run(self) -> None:
        while not self._stopping:
            while self._slots.free and (delivery := self._queue.take()):
                self._start(delivery)
            await self._queue.wait()

    async def stop(self) -> None:
        self._stopping = True
        self._queue.notify()


class MemorySource:
    """See `email_consumer.core.source.Source`."""

    name = origin = NAME
    lane = Lane.BULK
    ordered = True
    archive = None
    one_lane = ""
    valid_until = math.inf

    def __init__(self, ack_wait: float = 30.0) -> None:
        self.mail_queue = MemoryQueue(ack_wait)
        self.dead_letters = MemoryDeadLetters()
        self.error = ""
        """What `check` raises, if anything."""

    def receiver(self, slots: DeliverySlots, start: Callable[[Delivery], None]) -> MemoryReceiver:
        return MemoryReceiver(self.mail_queue, slots, start)

    async def flush(self) -> None: ...

    async def check(self) -> None:
        if self.error:
            raise ConnectionError(self.error)

    async def progress(self) -> SourceProgress:
        waiting = [message for message in self.mail_queue.unsettled.values() if not message.received]
        return SourceProgress(len(waiting), self.mail_queue.settled)

    async def unconsumed(self) -> Unconsumed:
        return Unconsumed()

    async def stats(self, unsettled: int) -> SourceStats:
        oldest = min((message.stored_at for message in self.mail_queue.unsettled.values()), default=None)
        return SourceStats(QueueDepth(len(self.mail_queue.unsettled) - unsettled, oldest), len(self.dead_letters.kept))
