"""A source of mail, as the rest of the program sees it: one folder in `sources/` for each kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from email_consumer.core.dead_letters import DeadLetterArchive, DeadLetterStore
from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.mail_queue import MailQueue, Unconsumed
from email_consumer.core.stall_detector import SourceProgress
from email_consumer.message.lane import Lane


class Receiver(Protocol):
    """Brings deliveries, never more than there are free slots."""

    async def run(self) -> None:
        """Pull until cancelled, or until `stop`."""

    async def stop(self) -> None:
        """Pull no more; what still arrives goes back at once. May be called twice, and before `run`."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """What the consumer has yet to settle."""

    waiting: int
    """Messages not delivered yet, or put back for later."""
    oldest_at: float | None
    """Unix seconds when the oldest unsettled message was stored; None for an empty queue."""

    def age(self, now: float) -> float:
        """Seconds for which the oldest has been unsettled at `now` (Unix seconds); 0 for an empty queue."""
        return max(0.0, now - self.oldest_at) if self.oldest_at is not None else 0.0


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What the page shows of a source; None for what it can't tell at present."""

    queue: QueueDepth | None = None
    dead_letters: int | None = None
    """Messages in its dead-letter store."""


class Source(Protocol):
    """Where mail comes from, and where what can't be sent is kept."""

    @property
    def name(self) -> str:
        """Unique among all sources, for people: `nats`, `nats-transactional`, `sqs`."""

    @property
    def lane(self) -> Lane:
        """Of all mail that waits in it. A stream with two lanes is two sources."""

    @property
    def one_lane(self) -> str:
        """Why it has no separate lane for transactional mail; empty if it has."""

    @property
    def origin(self) -> str:
        """As in SOURCE; all its deliveries carry it as `Original.source`."""

    @property
    def ordered(self) -> bool:
        """Whether its deliveries carry a sequence that says which was stored earlier."""

    @property
    def mail_queue(self) -> MailQueue:
        """The same queue for those who put mail in."""

    @property
    def dead_letters(self) -> DeadLetterStore: ...

    @property
    def archive(self) -> DeadLetterArchive | None:
        """Its dead letters, where operators can read and replay them here; None where other tools do."""

    @property
    def valid_until(self) -> float:
        """Event-loop clock: until then nobody else's ledger may take this mail."""

    def receiver(self, slots: DeliverySlots, start: Callable[[Delivery], None]) -> Receiver:
        """Not yet running. `start` takes a delivery, and a slot, at once."""

    async def flush(self) -> None:
        """Wait, with a limit, until the settlements that were sent have arrived."""

    async def check(self) -> None:
        """Raise if the source can't be reached, or gives us no mail; the text is for people."""

    async def progress(self) -> SourceProgress:
        """How far it has come; raises where it gives no answer."""

    async def unconsumed(self) -> Unconsumed:
        """Mail in it that no consumer takes.

        Raises:
            QueueUnavailableError: no answer.
        """

    async def stats(self, unsettled: int) -> SourceStats:
        """What the page shows. `unsettled` messages are being handled at present and don't wait."""
