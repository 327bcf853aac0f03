"""An upstream service: plain nats-py and msgpack, nothing of ours."""

import asyncio
import random
from collections.abc import Iterable
from uuid import UUID

import msgpack
import nats
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig

STREAM = "messages"
SUBJECT = "messages.email"
TRANSACTIONAL = "messages.transactional"
MARK = "benchmark-mail-"
"""Followed by a number in the subject line of mails that the endpoint tells apart."""
_PARAGRAPH = "<p>Your order is on its way and will be with you within the next three working days.</p>\n"
_AT_ONCE = 1000


class Publisher:
    """Publishes mails with a body of about `body` bytes of HTML; each has a uuid of its own, and `topic` if it is given.

    Publishers of one stream need different seeds, or their uuids are the same.
    """

    def __init__(self, client: Client, body: int, topic: str = "", seed: int = 1) -> None:
        self._client = client
        self._jetstream = client.jetstream(publish_async_max_pending=_AT_ONCE)
        self._body = (_PARAGRAPH * (body // len(_PARAGRAPH) + 1))[:body]
        self._further = {"topic_id": topic} if topic else {}
        self._chance = random.Random(seed)  # the same mails in each run

    @classmethod
    async def connect(cls, url: str, body: int = 1000, topic: str = "", seed: int = 1) -> "Publisher":
        return cls(await nats.connect(url), body, topic, seed)

    async def close(self) -> None:
        await self._client.close()

    async def create_stream(self, retention: RetentionPolicy) -> None:
        await self._jetstream.add_stream(StreamConfig(name=STREAM, subjects=[f"{STREAM}.*"], retention=retention))

    async def delete_stream(self) -> None:
        await self._jetstream.delete_stream(STREAM)

    async def publish(self, mails: int) -> None:
        """So many mails; each is stored when this returns."""
        waiting = [await self._jetstream.publish_async(SUBJECT, self._mail()) for _ in range(mails)]
        await asyncio.gather(*waiting)

    async def publish_marked(self, numbers: Iterable[int], subject: str = TRANSACTIONAL) -> None:
        """Mails that the endpoint tells apart; each is stored when this returns."""
        waiting = [await self._jetstream.publish_async(subject, self._mail(f"{MARK}{number}")) for number in numbers]
        await asyncio.gather(*waiting)

    async def left(self) -> int:
        """How many mails the stream holds."""
        return (await self._jetstream.stream_info(STREAM)).state.messages

    def _mail(self, title: str = "") -> bytes:
        number = self._chance.getrandbits(32)
        mail = {
            "uuid": str(UUID(int=self._chance.getrandbits(128), version=4)),
            "email": f"customer-{number}@example.com",
            "subject": title or f"Your order {number}",
            "body": self._body,
            **self._further,
        }
        packed: bytes = msgpack.packb(mail)
        return packed
