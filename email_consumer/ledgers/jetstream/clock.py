"""The NATS server's clock, by which ages of claims are measured, so that no clocks of two machines are compared."""

import asyncio
import math
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.core.ledger import LedgerBlockedError
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimsLostError
from email_consumer.runtime.clock import elapsed

_FRESH = 5.0
"""Seconds an answer is reused for: after a crash many claims are checked within a short time."""


class ServerClock:
    """The clock of the server that leads the claims bucket, and which also timestamps each claim."""

    def __init__(self, publisher: Publisher, bucket_stream: str) -> None:
        self._publisher = publisher
        self._bucket_stream = bucket_stream
        self._server_time = 0.0
        self._read_at = -math.inf

    async def now(self, until: float = math.inf) -> float:
        """Unix seconds, never ahead of the server. While NATS is unavailable it waits until `until` (event-loop clock) at most.

        Raises:
            ClaimsLostError: the bucket does not exist.
            LedgerBlockedError: no answer by then.
        """
        while elapsed() - self._read_at >= _FRESH:
            try:
                info = await ask(self._publisher.client, f"STREAM.INFO.{self._bucket_stream}")
            except NotFoundError:
                raise ClaimsLostError from None
            except (NatsError, TimeoutError) as error:
                await self._publisher.pause(error, self._bucket_stream)
                if self._loop_time() > until:
                    raise LedgerBlockedError(f"NATS's clock can't be read: {error or repr(error)}") from None
            else:
                self._server_time, self._read_at = datetime.fromisoformat(info["ts"]).timestamp(), elapsed()
        return self._server_time + elapsed() - self._read_at

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()
