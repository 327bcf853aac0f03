"""An upstream service, and the operator who looks at its queue: plain libraries, nothing of ours."""

import asyncio
import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import msgpack
import nats
from nats.aio.client import Client

from tests.servers.sqs import TestQueue
from tests.waiting import until

SUBJECT = "messages.email"
TRANSACTIONAL_SUBJECT = "messages.transactional"


@dataclass(frozen=True)
class Letter:
    """One dead letter."""

    payload: bytes
    kind: str
    reason: str
    attempts: int


class Publisher(Protocol):
    """Of one source."""

    async def publish(self, payloads: Iterable[bytes]) -> None:
        """All of them, each stored when this returns."""

    async def unsettled(self) -> int:
        """Messages that wait or are in hand."""

    async def dead_letters(self) -> list[Letter]:
        """All there are."""


async def emptied(publisher: Publisher) -> None:
    """Until everything is settled for good."""

    async def settled() -> bool:
        return not await publisher.unsettled()

    await until(settled)


def as_map(uuid: str, **fields: object) -> bytes:
    mail = {"uuid": uuid, "email": "you@example.com", "subject": f"Hello {uuid}", "body": f"<p>{uuid}</p>"}
    packed: bytes = msgpack.packb(mail | fields)
    return packed


def as_array(uuid: str) -> bytes:
    packed: bytes = msgpack.packb([uuid, "you@example.com", f"Hello {uuid}", f"<p>{uuid}</p>"])
    return packed


class JetStreamPublisher:
    """Publishes to the stream. Connected to one server for the test's length."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._jetstream = client.jetstream(publish_async_max_pending=1000)

    @classmethod
    async def connect(cls, url: str) -> "JetStreamPublisher":
        return cls(await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1))

    async def close(self) -> None:
        await self._client.close()

    async def publish(self, payloads: Iterable[bytes], *, transactional: bool = False) -> None:
        subject = TRANSACTIONAL_SUBJECT if transactional else SUBJECT
        waiting = [await self._jetstream.publish_async(subject, payload) for payload in payloads]
        await asyncio.gather(*waiting)

    async def unsettled(self) -> int:
        return int((await self._jetstream.stream_info("messages")).state.messages)

    async def dead_letters(self) -> list[Letter]:
        state = (await self._jetstream.stream_info("messages-dead")).state
        return [await self._letter(number) for number in range(max(state.first_seq, 1), state.last_seq + 1)]

    async def _letter(self, number: int) -> Letter:
        message = await self._jetstream.get_msg("messages-dead", number)
        headers = message.headers or {}
        kind = (message.subject or "").removeprefix("messages-dead.")
        return Letter(message.data or b"", kind, headers["Email-Reason"], int(headers["Email-Attempts"]))


class SqsPublisher:
    """Sends to the queue, as base64."""

    def __init__(self, mail: TestQueue, dead: TestQueue) -> None:
        self.mail = mail
        self.dead = dead

    async def publish(self, payloads: Iterable[bytes]) -> None:
        await self.mail.send([base64.b64encode(payload).decode() for payload in payloads])

    async def unsettled(self) -> int:
        return await self.mail.unsettled()

    async def dead_letters(self) -> list[Letter]:
        letters = []
        for message in await self.dead.take_all():
            attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
            payload = base64.b64decode(message["Body"])
            letters.append(
                Letter(payload, attributes["Email-Kind"], attributes["Email-Reason"], int(attributes["Email-Attempts"]))
            )
        return letters
