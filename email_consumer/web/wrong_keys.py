"""Wrong API keys: counted, logged, and answered with a delay when many come from one address.

Valid keys are never delayed, whatever the address: clients that share a proxy share its address.
"""

import asyncio
import time

import structlog
from cachetools import TTLCache

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.throttle import Throttle
from email_consumer.web.routing import ApiError

_FREE = 10
"""Wrong keys from one address that are answered without delay, as while somebody sets up a client."""
_FORGOTTEN_AFTER = 60.0
_ADDRESSES = 10_000
_SLOWED_AT_ONCE = 32
_QUIET = 10.0
"""Seconds between two log lines."""

_log = structlog.get_logger(__name__)


class WrongKeys:
    def __init__(self, metrics: Metrics, *, pause: float = 1.0) -> None:
        """`pause`: delay in seconds once an address has sent many wrong keys."""
        self._metrics = metrics
        self._pause = pause
        self._by_address: TTLCache[str, int] = TTLCache(_ADDRESSES, _FORGOTTEN_AFTER, timer=time.monotonic)
        self._slowed = 0
        self._throttle = Throttle(_QUIET)

    async def record(self, address: str) -> None:
        """Count it, and return once it may be answered.

        Raises:
            ApiError: 429, too many delayed requests already.
        """
        self._metrics.api_keys_refused += 1
        unlogged = self._throttle.admit("wrong key")
        if unlogged is not None:
            _log.warning("api.wrong_key", address=address, unlogged=unlogged)
        seen = self._by_address[address] = self._by_address.get(address, 0) + 1
        if seen <= _FREE:
            return
        if self._slowed >= _SLOWED_AT_ONCE:
            raise ApiError(429, "too_many_wrong_keys", "Too many wrong API keys.", headers={"Retry-After": "10"})
        self._slowed += 1
        try:
            await asyncio.sleep(self._pause)
        finally:
            self._slowed -= 1
