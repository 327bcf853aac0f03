"""The SQS queues as a `MailQueue`: mail put in, and how far its consumer has come."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from email_consumer.core.mail_queue import (
    Backlog,
    Mark,
    QueueUnavailableError,
    TooLargeForQueueError,
    lane_of,
)
from email_consumer.message.lane import Lane
from email_consumer.sqs.batches import MOST
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import SqsQueue

_HEADROOM = 1_024
"""Bytes reserved for what SQS counts in addition to body and attributes: their types."""

_RESOLUTION = 1.0
"""Seconds: SQS's answers carry its time without a fraction."""
_TOO_LARGE = {"InvalidParameterValue", "BatchRequestTooLong"}

Message = tuple[str, Mapping[str, str]]


class SqsMailQueue:
    """See `email_consumer.core.mail_queue.MailQueue`. SQS has no order: mail is distinguished by the time it was sent."""

    def __init__(self, queue: SqsQueue, longest: int, transactional: SqsQueue | None = None) -> None:
        """`queue` of bulk mail; all mail goes there without a `transactional` one. `longest`: bytes of a message."""
        self._queue = queue
        self._transactional = transactional or queue
        self.one_lane = transactional is None
        self._longest = longest

    @classmethod
    async def of(cls, queue: SqsQueue, transactional: SqsQueue | None = None) -> "SqsMailQueue":
        """Ask the queues for what they take.

        Raises:
            SqsError: one gave no answer.
        """
        longest = await queue.longest_message()
        if transactional:
            longest = min(longest, await transactional.longest_message())
        return cls(queue, longest, transactional)

    @property
    def max_payload(self) -> int:
        return (self._longest - _HEADROOM) * 3 // 4  # travels as base64

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        answers: list[int | Exception] = []
        bodies = [(base64.b64encode(payload).decode(), headers) for payload, headers in messages]
        outage: SqsError | None = None
        for queue, messages_of_lane in groupby(bodies, self._queue_of):
            for batch in self._batches(messages_of_lane):
                if outage:  # each further call would take as long
                    answers += [outage] * len(batch)
                    continue
                try:
                    answers += [_answer(error) for error in await queue.send_batch(batch)]
                except SqsError as error:
                    answers += [_answer(error)] * len(batch)
                    outage = None if error.code else error
        return answers

    async def mark(self) -> Mark:
        try:
            now = await self._queue.now()
        except SqsError as error:
            raise QueueUnavailableError(str(error)) from error
        # All that was sent so far was sent before this second is over; in a second it is.
        return Mark("", 0, before=now + _RESOLUTION, past_in=_RESOLUTION)

    async def backlog(self) -> Backlog:
        try:
            counts = [await queue.count() for queue in {self._queue, self._transactional}]
            return Backlog(ack_floor=-1, unsettled=sum(counts))
        except SqsError as error:
            raise QueueUnavailableError(str(error)) from error

    def _queue_of(self, message: Message) -> SqsQueue:
        _, headers = message
        return self._transactional if lane_of(headers) is Lane.TRANSACTIONAL else self._queue

    def _batches(self, messages: Iterable[Message]) -> Iterator[list[Message]]:
        """In order; SQS takes ten at a time, and no more bytes than one message may have."""
        batch: list[Message] = []
        size = 0
        for message in messages:
            grown = size + _size(message)
            if batch and (len(batch) == MOST or grown > self._longest):
                yield batch
                batch, grown = [], _size(message)
            batch.append(message)
            size = grown
        if batch:
            yield batch


def _size(message: Message) -> int:
    body, attributes = message
    return len(body) + sum(len(name) + len(value.encode()) + len("String") for name, value in attributes.items())


def _answer(error: SqsError | None) -> int | Exception:
    if error is None:
        return 0
    return TooLargeForQueueError(str(error)) if error.code in _TOO_LARGE else error
