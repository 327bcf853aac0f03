"""An upstream service: plain nats-py and msgpack, nothing of ours."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgpack
import nats
from nats.aio.client import Client
from nats.js.api import StreamInfo

SUBJECT = "messages.email"


def as_map(uuid: str, **fields: object) -> bytes:
    mail = {"uuid": uuid, "email": "you@example.com", "subject": f"Hello {uuid}", "body": f"<p>{uuid}</p>"}
    packed: bytes = msgpack.packb(mail | fields)
    return packed


def as_array(uuid: str) -> bytes:
    packed: bytes = msgpack.packb([uuid, "you@example.com", f"Hello {uuid}", f"<p>{uuid}</p>"])
    return packed


class Publisher:
    """Connected to one server for the test's length."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.jetstream = client.jetstream(publish_async_max_pending=1000)

    @classmethod
    async def connect(cls, url: str) -> "Publisher":
        return cls(await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.1))

    async def close(self) -> None:
        await self._client.close()

    async def publish(self, payloads: Iterable[bytes]) -> None:
        """All of them, each stored when this returns."""
        waiting = [await self.jetstream.publish_async(SUBJECT, payload) for payload in payloads]
        await asyncio.gather(*waiting)

    async def stream(self, name: str = "messages") -> StreamInfo:
        return await self.jetstream.stream_info(name)

    async def dead_letters(self) -> list[Any]:
        """Every message of the dead-letter stream."""
        info = await self.stream("messages-dead")
        first, last = info.state.first_seq, info.state.last_seq
        return [await self.jetstream.get_msg("messages-dead", seq) for seq in range(max(first, 1), last + 1)]

    async def emptied(self, stream: str = "messages") -> None:
        """Until everything is acked: the work queue is empty."""
        async with asyncio.timeout(60):
            while (await self.stream(stream)).state.messages:  # noqa: ASYNC110 - nobody tells of an ack but the server, asked
                await asyncio.sleep(0.05)
