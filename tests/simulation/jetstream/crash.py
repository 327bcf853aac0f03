"""What a killed server forgets: the last of what it had acknowledged, of each stream and of each consumer for itself.

nats-server writes streams and consumers to files of their own, and acknowledges before they are on the disk. So each comes back
as it was at a moment of its own: messages that were stored since are gone, what was removed since is there again, and deliveries
and acknowledgements are forgotten. Held against nats-server 2.15.1 by exchanging the folders `msgs` or `obs` of a stopped one.
"""

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from tests.simulation.jetstream.environment import nanoseconds

if TYPE_CHECKING:
    from tests.simulation.jetstream.consumer import Consumer
    from tests.simulation.jetstream.message import StoredMessage
    from tests.simulation.jetstream.stream import Stream

LONGEST = 1.0
"""Seconds that a server may forget."""

Item = TypeVar("Item")


class Recent(Generic[Item]):
    """What happened within these seconds."""

    def __init__(self) -> None:
        self._items: deque[tuple[float, Item]] = deque()

    def add(self, now: float, item: Item) -> None:
        items = self._items
        items.append((now, item))
        while items[0][0] < now - LONGEST:
            items.popleft()

    def since(self, moment: float) -> list[Item]:
        """Everything after it, the newest first."""
        return [item for at, item in reversed(self._items) if at > moment]


def forget_messages(stream: "Stream", since: float) -> list["StoredMessage"]:
    """Let the stream be as it was then; returns the messages that are gone. Its consumers have to follow by `reconcile`."""
    storage, moment = stream.storage, nanoseconds(since)
    removed = stream.removed.since(since)
    lost = [message for message in storage.messages.values() if message.stored_at > moment]
    unknown = [message.sequence for message in (*lost, *removed) if message.stored_at > moment]
    last = min(unknown) - 1 if unknown else storage.last
    kept = [message for message in storage.messages.values() if message.stored_at <= moment]
    storage.restore([*kept, *(message for message in removed if message.stored_at <= moment)], last)
    stream.forgotten()
    return lost


def forget_deliveries(consumer: "Consumer", since: float) -> None:
    """Let the consumer be as it was then, as far as its stream allows; `reconcile` it afterwards."""
    redelivery, messages = consumer.redelivery, consumer.stream.storage.messages
    for sequence, unsettled, again in consumer.settled.since(since):
        if sequence in messages:
            redelivery.redelivered[sequence] = again
            redelivery.delivered(sequence, unsettled.delivery, consumer.environment.now + consumer.ack_wait)
    for sequence, delivery, count in consumer.taken.since(since):
        consumer.delivery = delivery - 1
        if count > 1:
            redelivery.redelivered[sequence] = count - 2
        else:  # as if it had never been delivered
            redelivery.settle(sequence)
            consumer.cursor.position = min(consumer.cursor.position, sequence)


def reconcile(consumer: "Consumer") -> None:
    """What a server does with a consumer that is ahead of its stream, when it starts."""
    redelivery, cursor, last = consumer.redelivery, consumer.cursor, consumer.stream.storage.last
    if not consumer.acks:
        if cursor.position > last + 1:
            cursor.position = last + 1
            cursor.count()
        return
    for sequence in [each for each in redelivery.unsettled if each not in consumer.stream.storage.messages]:
        redelivery.settle(sequence)
    position = cursor.position
    if position > last + 1:  # what it knew to be over is delivered again, behind what it waits for
        position = min(max([consumer.floor, *redelivery.unsettled]), last) + 1
    consumer.begin_at(position)
