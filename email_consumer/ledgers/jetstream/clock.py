"""NATS's clock: the one by which the ages of claims are told, so that no two machines' clocks are compared."""

import asyncio
import math
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.core.ledger import LedgerBlockedError
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimsLostError

_FRESH = 5.0
"""Seconds for which an answer serves: a crash leaves many claims to be looked at within a short time."""


class ServerClock:
    """Of the server that leads the bucket of claims, which also notes when each of them was stored."""

    def __init__(self, publisher: Publisher, bucket_stream: str) -> None:
        self._publisher = publisher
        self._bucket_stream = bucket_stream
        self._told = 0.0
        self._told_at = -math.inf

    async def now(self, until: float = math.inf) -> float:
        """Unix seconds, never ahead of it. While NATS is away, it waits, at the most `until` then (event-loop clock).

        Raises:
            ClaimsLostError: there is no bucket.
            LedgerBlockedError: then.
        """
        while self._loop_time() - self._told_at >= _FRESH:
            try:
                info = await ask(self._publisher.client, f"STREAM.INFO.{self._bucket_stream}")
            except NotFoundError:
                raise ClaimsLostError from None
            except (NatsError, TimeoutError) as error:
                await self._publisher.pause(error, self._bucket_stream)
                if self._loop_time() > until:
                    raise LedgerBlockedError(f"NATS's clock can't be read: {error or repr(error)}") from None
            else:
                self._told, self._told_at = datetime.fromisoformat(info["ts"]).timestamp(), self._loop_time()
        return self._told + self._loop_time() - self._told_at

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()
