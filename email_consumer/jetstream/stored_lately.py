"""Keeps what JetStream has just stored, and publishes it again after a reconnect.

nats-server acknowledges what is not on its disk yet, and one that is killed may come back without it. Under the same
`Nats-Msg-Id` a stream takes only what it no longer has; so this is for streams whose readers recognize what they have had.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import structlog

from email_consumer.jetstream.publisher import Publisher, TooLargeError
from email_consumer.runtime.ticks import until_tick

_KEPT = 10.0
"""Seconds before the last message that are kept; a server was seen to lose less than one."""
_FORGOTTEN = 150.0
"""Seconds after which they are forgotten while the connection works, even if no message follows: mail that was erased, or
finished so long ago that nobody knows it any longer, must not come back."""
_MOST_BYTES = 4 * 1024 * 1024
_LOOK = 1.0
"""Seconds between two looks at the connection."""

_log = structlog.get_logger(__name__)


class _Message(NamedTuple):
    stored_at: float
    """By the monotonic clock."""
    subject: str
    payload: bytes
    identity: str
    headers: Mapping[str, str]


class StoredLately:
    """`add` what was acknowledged; `run` it as a service."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._messages: deque[_Message] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Messages that are kept."""
        return len(self._messages)

    def add(self, subject: str, payload: bytes, identity: str, headers: Mapping[str, str] | None = None) -> None:
        """Keep it for a while; `identity` is its `Nats-Msg-Id`."""
        now = time.monotonic()
        self._messages.append(_Message(now, subject, payload, identity, headers or {}))
        self._bytes += len(payload)
        self._forget(now - _KEPT)
        while self._bytes > _MOST_BYTES and len(self._messages) > 1:
            self._drop_oldest()

    async def run(self) -> None:
        """Until cancelled."""
        statistics = self._publisher.client.stats
        reconnects = statistics["reconnects"]
        while True:
            await asyncio.sleep(until_tick(_LOOK))
            if statistics["reconnects"] != reconnects:
                reconnects = statistics["reconnects"]
                await self._publish_again()
            elif self._publisher.client.is_connected:
                self._forget(time.monotonic() - _FORGOTTEN)

    def _forget(self, before: float) -> None:
        while self._messages and self._messages[0].stored_at < before:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._bytes -= len(self._messages.popleft().payload)

    async def _publish_again(self) -> None:
        again = 0
        for message in list(self._messages):
            try:
                stored = await self._publisher.until_stored(
                    message.subject, message.payload, message.identity, message.headers
                )
            except TooLargeError:  # the stream takes less than before
                continue
            again += not stored.duplicate
        if again:
            _log.info("jetstream.published_again", messages=again)
