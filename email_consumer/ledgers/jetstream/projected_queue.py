"""The queue of mail for whoever compares it with the tables: what it says is settled, the tables show."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic

from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.core.mail_queue import Backlog, MailQueue, Mark, QueueUnavailableError
from email_consumer.ledgers.jetstream.streams import projected

_PATIENCE = 2.0
"""Seconds; the tables follow within a tenth of one, unless they have much to catch up with."""
_PAUSE = 0.02


class ProjectedQueue:
    """See `email_consumer.core.mail_queue.MailQueue`."""

    def __init__(self, queue: MailQueue, client: Client, *, stream: str, told: Callable[[], Awaitable[None]]) -> None:
        """`told` waits until the workers can know what was cancelled up to now."""
        self._queue = queue
        self._client = client
        self._stream = stream
        self._told = told
        self._patience = 0.0

    def follow(self) -> None:
        """From here on the tables follow the workers, so that it is worth waiting for them."""
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
                await self._told()
        except TimeoutError:
            raise QueueUnavailableError("the workers can't be told at present") from None
        backlog = await self._queue.backlog()
        if await self._tables_follow():
            return backlog
        return replace(backlog, ack_floor=0, unsettled=backlog.unsettled + 1)

    async def _tables_follow(self) -> bool:
        """Whether the tables show, in time, all that the workers have told by now."""
        give_up_at = monotonic() + self._patience
        try:
            shown, told = await projected(self._client, self._stream)
            while shown < told and monotonic() < give_up_at:
                await asyncio.sleep(_PAUSE)
                shown, _ = await projected(self._client, self._stream)
        except (NatsError, TimeoutError):
            return False
        return shown >= told
