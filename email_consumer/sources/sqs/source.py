"""An SQS queue as a `Source`: a lane of mail."""

import math
from collections.abc import Callable

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.source import SourceStats
from email_consumer.core.stall_detector import SourceProgress
from email_consumer.message.lane import Lane
from email_consumer.sources.sqs.mail_queue import SqsMailQueue
from email_consumer.sources.sqs.receiver import sqs_receiver
from email_consumer.sqs.queue import SqsQueue
from email_consumer.sqs.receiver import SqsReceiver


class SqsSource:
    """See `email_consumer.core.source.Source`."""

    origin = "sqs"
    ordered = False
    archive = None
    """Operators have AWS's own tools for a dead-letter queue."""
    valid_until = math.inf

    def __init__(
        self,
        queue: SqsQueue,
        mail_queue: SqsMailQueue,
        dead_letters: DeadLetterStore,
        *,
        visibility: float,
        lane: Lane = Lane.BULK,
    ) -> None:
        """`visibility`: seconds for which a delivery is hidden from others; each heartbeat restarts them."""
        self.name = "sqs" if lane is Lane.BULK else "sqs-transactional"
        self.lane = lane
        self.mail_queue = mail_queue
        self.dead_letters = dead_letters
        self._queue = queue
        self._visibility = visibility

    def receiver(self, slots: DeliverySlots, start: Callable[[Delivery], None]) -> SqsReceiver:
        return sqs_receiver(self._queue, slots=slots, visibility=self._visibility, start=start, lane=self.lane)

    @property
    def one_lane(self) -> str:
        return "SQS_TRANSACTIONAL_QUEUE_URL is not set" if self.mail_queue.one_lane else ""

    async def flush(self) -> None:
        """Nothing to wait for: SQS has answered each settlement."""

    async def check(self) -> None:
        if self._queue.last_error:
            raise ConnectionError(self._queue.last_error)

    async def progress(self) -> SourceProgress:
        """SQS doesn't count what was settled."""
        return SourceProgress(await self._queue.waiting(), 0)

    async def unconsumed(self) -> Unconsumed:
        """A queue has one kind of consumer."""
        return Unconsumed()

    async def stats(self, unsettled: int) -> SourceStats:  # noqa: ARG002 - see `Source`
        """CloudWatch has them."""
        return SourceStats()
