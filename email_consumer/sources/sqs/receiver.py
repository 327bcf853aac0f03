"""Deliveries from an SQS queue."""

from collections.abc import Callable, Mapping

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.mail_queue import LANE
from email_consumer.message.lane import Lane
from email_consumer.sqs.queue import Received, SqsQueue
from email_consumer.sqs.receiver import SqsReceiver


class SqsDelivery:
    """One message as SQS delivered it; see `email_consumer.core.delivery.Delivery`."""

    __slots__ = ("_queue", "_received", "_settled", "_visibility", "headers", "lane", "payload")

    source = "sqs"
    stream = ""
    sequence = 0

    def __init__(self, queue: SqsQueue, received: Received, visibility: float, lane: Lane = Lane.BULK) -> None:
        self._queue = queue
        self._received = received
        self._visibility = visibility
        self._settled = False
        self.payload = received.body.encode()
        self.headers: Mapping[str, str] = received.attributes
        if lane is Lane.TRANSACTIONAL:
            self.headers = {LANE: lane, **self.headers}  # it stays with the mail if that becomes a dead letter
        self.lane = lane

    @property
    def reference(self) -> str:
        return f"{self._queue.name}:{self._received.message_id}"

    @property
    def received(self) -> int:
        return self._received.receives

    @property
    def stored_at(self) -> float:
        return self._received.sent_at

    async def ack(self) -> None:
        self._settled = True
        await self._queue.delete(self._received.receipt_handle)

    async def nak(self, delay: float) -> None:
        self._settled = True
        await self._queue.change_visibility(self._received.receipt_handle, delay)

    async def term(self) -> None:
        await self.ack()

    async def in_progress(self) -> None:
        if not self._settled:  # or it would take the delay back that a nak has just set
            await self._queue.change_visibility(self._received.receipt_handle, self._visibility)


def sqs_receiver(
    queue: SqsQueue,
    *,
    slots: DeliverySlots,
    visibility: float,
    start: Callable[[Delivery], None],
    lane: Lane = Lane.BULK,
) -> SqsReceiver:
    """Deliveries from the queue, with `run` and `stop`.

    Args:
        queue: where they come from.
        slots: no more is taken than is free.
        visibility: seconds for which a delivery is nobody else's; `in_progress` restarts them.
        start: handles a delivery in a new task.
        lane: of all that waits in the queue.
    """
    return SqsReceiver(
        queue,
        slots=slots,
        visibility=visibility,
        start=lambda received: start(SqsDelivery(queue, received, visibility, lane)),
    )
