"""One queue of Amazon SQS (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/)."""

import math
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aioboto3
import orjson

from email_consumer.aws.client import client_config, server_time
from email_consumer.aws.renewing_client import RenewingClient
from email_consumer.sqs.batches import MOST, Batches, Entry, not_done
from email_consumer.sqs.errors import SqsError, in_plain_words, unreadable_as_sqs_error

LONGEST_VISIBILITY = 12 * 3600
"""Seconds that SQS lets a message be out of sight, counted from its receipt."""
LONG_POLL = 20
"""Seconds, SQS's own maximum."""
MOST_ATTRIBUTES = 10
"""Message attributes that SQS takes."""
_CONNECT_TIMEOUT = 5
_READ_TIMEOUT = LONG_POLL + 10
_CALL = 15.0
"""Seconds that a call may take with all its attempts, beyond what it is asked to wait for a message."""
_CONNECTIONS = 50
_COUNTS = tuple(f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed"))
_REGION = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")


@dataclass(frozen=True, slots=True)
class Received:
    """A message as SQS delivered it."""

    message_id: str
    """The same at each delivery."""
    receipt_handle: str
    """Names this one delivery."""
    body: str
    attributes: Mapping[str, str]
    """Its message attributes, as far as they are text."""
    sent_at: float
    """Unix seconds by SQS's clock."""
    receives: int
    """How often it was delivered so far, this time included."""
    waited: float
    """Seconds from its sending to this delivery, by SQS's clock alone."""


@dataclass(frozen=True, slots=True)
class RedrivePolicy:
    """Where SQS itself puts a message that was received too often."""

    dead_letter_arn: str
    max_receives: int


class SqsQueue:
    """Deletes and visibility changes travel in batches; every method raises `SqsError` when its call fails."""

    def __init__(self, client: RenewingClient, url: str) -> None:
        self._client = client
        self.url = url
        self.name = url.rstrip("/").rpartition("/")[2]
        self.last_error = ""
        """Why the last receive failed; empty if it didn't."""
        self._deletes = Batches(self._delete_batch)
        self._visibilities = Batches(self._change_visibility_batch)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, region: str, endpoint: str | None) -> AsyncIterator[Self]:
        """A queue with its own client; `region` is used if the URL doesn't name one."""
        named = _REGION.match(url)
        config = client_config(connect=_CONNECT_TIMEOUT, answer=_READ_TIMEOUT, attempts=3, connections=_CONNECTIONS)

        def make() -> AbstractAsyncContextManager[Any]:
            session = aioboto3.Session(region_name=named[1] if named else region)
            client: AbstractAsyncContextManager[Any] = session.client("sqs", endpoint_url=endpoint, config=config)
            return client

        async with RenewingClient(make) as client:
            yield cls(client, url)

    async def redrive_policy(self) -> RedrivePolicy | None:
        """None if it has none."""
        text = (await self._attributes("RedrivePolicy")).get("RedrivePolicy")
        if not text:
            return None
        with unreadable_as_sqs_error(self.url):
            policy = orjson.loads(text)
            return RedrivePolicy(policy["deadLetterTargetArn"], int(policy["maxReceiveCount"]))

    async def longest_message(self) -> int:
        """Bytes that a message may have, its attributes included."""
        (size,) = await self._numbers("MaximumMessageSize")
        return size

    async def count(self) -> int:
        """Messages that are waiting, delayed or unsettled; SQS calls the number approximate, which means seconds."""
        return sum(await self._numbers(*_COUNTS))

    async def now(self) -> float:
        """Unix seconds by SQS's clock, cut to a whole one; messages carry the same clock's time."""
        with in_plain_words(self.url):
            answer = await self._ask("get_queue_attributes", QueueUrl=self.url, AttributeNames=["QueueArn"])
        return _server_time(answer)

    async def waiting(self) -> int:
        """Messages that could be received now, by SQS's own approximate count."""
        (waiting,) = await self._numbers(_COUNTS[0])
        return waiting

    async def by_arn(self, arn: str) -> "SqsQueue":
        """Another queue, through the same client."""
        with unreadable_as_sqs_error(self.url):
            account, name = arn.split(":")[4:6]
        with in_plain_words(arn):
            answer = await self._ask("get_queue_url", QueueName=name, QueueOwnerAWSAccountId=account)
            url = _member(answer, "QueueUrl")
        return SqsQueue(self._client, url)

    async def receive(self, count: int, *, visibility: float, wait: int = LONG_POLL) -> list[Received]:
        """Up to `count` (at most 10) messages, out of sight for `visibility` seconds; waits up to `wait` for the first."""
        try:
            with in_plain_words(self.url):
                answer = await self._ask(
                    "receive_message",
                    wait=wait,
                    QueueUrl=self.url,
                    MaxNumberOfMessages=min(count, MOST),
                    WaitTimeSeconds=wait,
                    VisibilityTimeout=_whole(visibility),
                    MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                    MessageAttributeNames=["All"],
                )
            now = _server_time(answer)
            with unreadable_as_sqs_error(self.url):
                received = [_received(message, now) for message in answer.get("Messages", ())]
        except SqsError as error:
            self.last_error = str(error)
            raise
        self.last_error = ""
        return received

    async def delete(self, receipt_handle: str) -> None:
        """Take a message off the queue for good."""
        await self._deletes.submit({"ReceiptHandle": receipt_handle})

    async def change_visibility(self, receipt_handle: str, seconds: float) -> None:
        """Keep a message out of sight from now on for so long; 0 gives it back."""
        await self._visibilities.submit({"ReceiptHandle": receipt_handle, "VisibilityTimeout": _whole(seconds)})

    async def send(self, body: str, attributes: Mapping[str, str]) -> None:
        """Put a message in, with text attributes (at most 10)."""
        with in_plain_words(self.url):
            answer = await self._ask(
                "send_message", QueueUrl=self.url, MessageBody=body, MessageAttributes=_typed(attributes)
            )
            _member(answer, "MessageId")

    async def send_batch(self, messages: Sequence[tuple[str, Mapping[str, str]]]) -> list[SqsError | None]:
        """Put up to ten in, bodies with their attributes; for each, None or why it is not stored."""
        ids = [str(number) for number in range(len(messages))]
        entries = [
            {"Id": each, "MessageBody": body, "MessageAttributes": _typed(attributes)}
            for each, (body, attributes) in zip(ids, messages, strict=True)
        ]
        with in_plain_words(self.url):
            answer = await self._ask("send_message_batch", QueueUrl=self.url, Entries=entries)
        failed = not_done(answer, ids)
        return [failed[each].error if each in failed else None for each in ids]

    async def _attributes(self, *names: str) -> Mapping[str, str]:
        with in_plain_words(self.url):
            answer = await self._ask("get_queue_attributes", QueueUrl=self.url, AttributeNames=list(names))
        attributes: Mapping[str, str] = answer.get("Attributes", {})
        return attributes

    async def _numbers(self, *names: str) -> list[int]:
        attributes = await self._attributes(*names)
        with unreadable_as_sqs_error(self.url):
            return [int(attributes[name]) for name in names]

    async def _delete_batch(self, entries: list[Entry]) -> Mapping[str, Any]:
        with in_plain_words(self.url):
            return await self._ask("delete_message_batch", QueueUrl=self.url, Entries=entries)

    async def _change_visibility_batch(self, entries: list[Entry]) -> Mapping[str, Any]:
        with in_plain_words(self.url):
            return await self._ask("change_message_visibility_batch", QueueUrl=self.url, Entries=entries)

    async def _ask(self, operation: str, *, wait: float = 0, **arguments: object) -> Mapping[str, Any]:
        return await self._client.ask(operation, within=wait + _CALL, **arguments)


def _member(answer: Mapping[str, Any], member: str) -> str:
    value = answer.get(member)
    if not isinstance(value, str) or not value:  # HTTP 200, but something on the way wrote it, and not SQS
        raise SqsError(f"an answer without {member}, which is not from SQS")
    return value


def _whole(seconds: float) -> int:
    return min(math.ceil(seconds), LONGEST_VISIBILITY)


def _typed(attributes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}


def _server_time(answer: Mapping[str, Any]) -> float:
    at_server = server_time(answer)
    return float(int(time.time())) if at_server is None else at_server


def _received(message: Mapping[str, Any], now: float) -> Received:
    sent_at = int(message["Attributes"]["SentTimestamp"]) / 1000
    given = message.get("MessageAttributes", {})
    return Received(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"].encode(errors="replace").decode(),  # half a surrogate pair is no text
        attributes={
            name: value["StringValue"] for name, value in given.items() if isinstance(value.get("StringValue"), str)
        },
        sent_at=sent_at,
        receives=int(message["Attributes"]["ApproximateReceiveCount"]),
        waited=now - sent_at,
    )
