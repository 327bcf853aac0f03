"""The mail queue for readers that compare it with the tables: mail it reports as settled is visible in the tables."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.core.mail_queue import Backlog, MailQueue, Mark, QueueUnavailableError
from email_consumer.ledgers.jetstream.streams import projected

_PATIENCE = 2.0
"""Seconds; the tables usually follow within a tenth of a second."""
_PAUSE = 0.02


class ProjectedQueue:
    """See `email_consumer.core.mail_queue.MailQueue`."""

    def __init__(
        self, queue: MailQueue, client: Client, *, stream: str, published: Callable[[], Awaitable[None]]
    ) -> None:
        """`published` waits until the workers can know all cancellations so far."""
        self._queue = queue
        self._client = client
        self._stream = stream
        self._published = published
        self._patience = 0.0

    def follow(self) -> None:
        """Call this once the projection is running: from then on waiting for the tables makes sense."""
        self._patience = _PATIENCE

    @property
    def max_payload(self) -> int:
        return self._queue.max_payload

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        return await self._queue.publish(messages)

    async def mark(self) -> Mark:
        return await self._queue.mark()

    async def backlog(self) -> Backlog:
        try:
            async with asyncio.timeout(self._patience):
                await self._published()
        except TimeoutError:
            raise QueueUnavailableError("the workers can't be reached at the moment") from None
        backlog = await self._queue.backlog()
        if await self._tables_follow():
            return backlog
        return replace(backlog, ack_floor=0, unsettled=backlog.unsettled + 1)

    async def _tables_follow(self) -> bool:
        """Whether the tables show, within the patience, everything the workers have published so far."""
        give_up_at = time.monotonic() + self._patience
        try:
            applied, last = await projected(self._client, self._stream)
            while applied < last and time.monotonic() < give_up_at:
                await asyncio.sleep(_PAUSE)
                applied, _ = await projected(self._client, self._stream)
        except (NatsError, TimeoutError):
            return False
        return applied >= last
