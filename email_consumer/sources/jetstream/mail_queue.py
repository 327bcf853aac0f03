"""The stream and its consumer as a `MailQueue`: mail put in, and how far the consumer has come."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import Header

from email_consumer.core.mail_queue import (
    Backlog,
    Mark,
    QueueUnavailableError,
    RefusedByQueueError,
    TooLargeForQueueError,
)
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.publisher import (
    LostAckError,
    Publisher,
    RefusedError,
    Stored,
    TooLargeError,
    fresh,
    header_bytes,
)
from email_consumer.sources.jetstream.transactional_lane import TransactionalLane

_PATIENCE = 5.0
"""Seconds for an answer of the server."""
_UNLIMITED = 2**63
_OVERHEAD = 256
"""Bytes that a message takes in a stream in addition to payload and headers, at most: framing and subject."""

Message = tuple[bytes, Mapping[str, str]]


class JetStreamQueue:
    """See `email_consumer.core.mail_queue.MailQueue`."""

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        subject: str,
        consumer: str,
        transactional: TransactionalLane | None = None,
    ) -> None:
        """`subject` and `consumer` of bulk mail; all mail goes there while there is no `transactional` lane."""
        self._client = client
        self._publisher = Publisher(client, _PATIENCE)
        self._stream = stream
        self._subject = re.sub(r"[*>]", "api", subject)  # SUBJECT may be a filter, which nothing can be sent to
        self._consumer = consumer
        self._transactional = transactional
        # The stream's own limits, as they were when we last looked.
        self._max_message = self._room = _UNLIMITED

    @property
    def max_payload(self) -> int:
        return min(int(self._client.max_payload), self._max_message, self._room)

    async def publish(self, messages: Sequence[Message]) -> list[int | Exception]:
        self._check_connection()
        futures = [
            await self._publisher.send(self._subject_of(headers), payload, headers) for payload, headers in messages
        ]
        if not futures:
            return []
        await asyncio.wait(futures)
        answers = [_answer(future) for future in futures]
        duplicates = [
            number for number, answer in enumerate(answers) if isinstance(answer, Stored) and answer.duplicate
        ]
        if duplicates:
            settled = (await self.backlog()).ack_floor
            believed = await asyncio.gather(
                *(self._believe(messages[each], futures[each].result(), settled) for each in duplicates)
            )
            for number, answer in zip(duplicates, believed, strict=True):
                answers[number] = answer
        if any(isinstance(answer, (RefusedByQueueError, TooLargeForQueueError)) for answer in answers):
            await self._look()
        return [self._explained(answer, message) for answer, message in zip(answers, messages, strict=True)]

    async def mark(self) -> Mark:
        info = await self._look()
        return Mark(info["created"], info["state"]["last_seq"], datetime.fromisoformat(info["ts"]).timestamp())

    async def backlog(self) -> Backlog:
        stream = await self._look()
        state = stream["state"]
        lanes = await asyncio.gather(*(self._lane(name, state) for name in self._consumers()))
        return Backlog(
            min(lane.ack_floor for lane in lanes),
            sum(lane.unsettled for lane in lanes),
            sum(lane.delivered for lane in lanes),
            stream["created"],
            state["last_seq"],
        )

    def _consumers(self) -> list[str]:
        transactional = self._transactional
        return [self._consumer] + ([transactional.consumer.name] if transactional and not transactional.missing else [])

    async def _lane(self, consumer: str, state: Mapping[str, Any]) -> Backlog:
        """What one consumer has yet to settle, as of a moment after the stream's `state`."""
        try:
            info = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{consumer}")
        except (NatsError, TimeoutError) as error:
            raise QueueUnavailableError(f"consumer {consumer}: {error}") from error
        delivered = info["num_ack_pending"]
        unsettled = info["num_pending"] + delivered
        # What is gone is over; and a consumer with nothing left has settled all that the stream held at that moment,
        # also where the last messages are the other consumer's.
        floor = max(info["ack_floor"]["stream_seq"], state["first_seq"] - 1) if unsettled else state["last_seq"]
        return Backlog(floor, unsettled, delivered)

    def _subject_of(self, headers: Mapping[str, str]) -> str:
        lane = self._transactional
        return lane.subject if lane and lane.takes(headers) else self._subject

    async def _believe(self, message: Message, stored: Stored, settled: int) -> Stored | Exception:
        """Where a message is that the stream knows by name; its consumer has settled all up to sequence `settled`.

        It is in our keeping, so nothing became of it yet. Where it does not wait at its place it was purged: it is stored
        again, under a new name. If it was sent at this very moment, the ledger knows.
        """
        payload, headers = message
        name = headers.get(Header.MSG_ID.value, "")
        try:
            if stored.sequence > settled and await self._publisher.holds(stored, name):
                return stored
        except LostAckError as error:
            return error
        again = await self._publisher.send(
            self._subject_of(headers), payload, {**headers, Header.MSG_ID.value: fresh(name)}
        )
        await asyncio.wait([again])
        return _answer(again)

    def _explained(self, answer: Stored | Exception, message: Message) -> int | Exception:
        size = len(message[0]) + header_bytes(message[1])
        if isinstance(answer, RefusedByQueueError) and size > self._room:
            return TooLargeForQueueError(f"{size:,} bytes, and the stream's max_bytes leaves {self._room:,}")
        return answer.sequence if isinstance(answer, Stored) else answer

    async def _look(self) -> dict[str, Any]:
        self._check_connection()
        try:
            info = await ask(self._client, f"STREAM.INFO.{self._stream}")
        except (NatsError, TimeoutError) as error:
            raise QueueUnavailableError(f"stream {self._stream}: {error}") from error
        limits = info["config"]
        self._max_message = _limit(limits.get("max_msg_size"))
        self._room = max(0, _limit(limits.get("max_bytes")) - _OVERHEAD)
        return info

    def _check_connection(self) -> None:
        # While disconnected nats-py would keep what is published for later, and let the rest run into its time-out.
        if not self._client.is_connected:
            raise QueueUnavailableError("not connected to NATS")


def _limit(value: int | None) -> int:
    return value if value and value > 0 else _UNLIMITED


def _answer(sent: "asyncio.Future[Stored]") -> Stored | Exception:
    """In the queue's own words."""
    match sent.exception():
        case None:
            return sent.result()
        case TooLargeError() as error:
            return TooLargeForQueueError(str(error))
        case RefusedError() as error:
            return RefusedByQueueError(str(error))
        case error:
            return error if isinstance(error, Exception) else RuntimeError(repr(error))
