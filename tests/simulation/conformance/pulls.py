"""Pull requests as a client makes them, and what comes back."""

import asyncio
from itertools import count
from typing import Any, NamedTuple

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig

S = 1_000_000_000
"""Nanoseconds in a second."""


class Delivered(NamedTuple):
    """The fields of a delivery's acknowledgement subject that don't depend on the time."""

    subject: str
    received: int
    sequence: int
    delivery: int
    pending: int


class Ended(NamedTuple):
    """A status message."""

    request: int
    status: str
    text: str
    left: str | None
    """Nats-Pending-Messages."""


class Puller:
    """Of one consumer, with an inbox of its own."""

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._numbers = count(1)
        self.messages: asyncio.Queue[Msg] = asyncio.Queue()

    async def listen(self) -> None:
        await self._client.subscribe(f"{self._inbox}.*", cb=self.messages.put)

    async def ask(self, **request: Any) -> int:
        """Request messages; returns the request's number."""
        number = next(self._numbers)
        payload = orjson.dumps(request) if request else b""
        await self._client.publish(self._next, payload, reply=f"{self._inbox}.{number}")
        return number

    async def next(self) -> Delivered | Ended:
        async with asyncio.timeout(30):
            return shown(await self.messages.get())

    async def take(self, many: int) -> list[Delivered | Ended]:
        return [await self.next() for _ in range(many)]

    async def raw(self) -> Msg:
        async with asyncio.timeout(30):
            return await self.messages.get()


def shown(message: Msg) -> Delivered | Ended:
    if message.reply.startswith("$JS.ACK."):
        fields = message.reply.split(".")
        return Delivered(message.subject, int(fields[4]), int(fields[5]), int(fields[6]), int(fields[8]))
    headers = message.headers or {}
    request = int(message.subject.rpartition(".")[2])
    return Ended(request, headers["Status"], headers["Description"], headers.get("Nats-Pending-Messages"))


async def work_queue(client: Client, **config: Any) -> Puller:
    """A work queue `s` on `s.*` with the consumer `c`, and someone who pulls from it."""
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"], retention=RetentionPolicy.WORK_QUEUE))
    wanted = {"ack_policy": AckPolicy.EXPLICIT, "ack_wait": 0.3, **config}
    await jetstream.add_consumer("s", ConsumerConfig(durable_name="c", **wanted))
    puller = Puller(client, "s", "c")
    await puller.listen()
    return puller


async def fill(client: Client, *subjects: str) -> None:
    """Store a message on each subject."""
    for subject in subjects:
        await client.jetstream().publish(subject, b"1")


async def info(client: Client, stream: str = "s", consumer: str = "c") -> dict[str, Any]:
    """A consumer's numbers."""
    answer = orjson.loads((await client.request(f"$JS.API.CONSUMER.INFO.{stream}.{consumer}", timeout=5)).data)
    found = {name: answer[name] for name in ("num_ack_pending", "num_redelivered", "num_waiting", "num_pending")}
    for name in ("delivered", "ack_floor"):
        found[name] = (answer[name]["consumer_seq"], answer[name]["stream_seq"])
    return found


async def settle(client: Client, reply: str, answer: bytes = b"+ACK") -> None:
    """Answer a delivery, and wait until the server has taken note."""
    await client.request(reply, answer, timeout=5)


async def until_waiting(client: Client, requests: int) -> None:
    """Wait until the server knows so many requests: it reads them later than questions about them."""
    async with asyncio.timeout(30):
        while (await info(client))["num_waiting"] != requests:
            pass
