"""A worker's watch over the bucket of claims: while it is lost, nothing more is released, and claims wait."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError

from email_consumer.ledgers.jetstream.bucket import LOST
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream

_LOOK = 1.0
"""Seconds between two looks."""

_log = structlog.get_logger(__name__)


class ClaimsGuard:
    """`run` it. A worker never makes the bucket: an empty one would know nothing of what was sent."""

    def __init__(
        self,
        claims: ClaimsStream,
        *,
        hold: Callable[[str], None] = lambda _: None,
        resume: Callable[[], None] = lambda: None,
    ) -> None:
        """`hold` is called with the reason, `resume` once that is over."""
        self._claims = claims
        self._hold = hold
        self._resume = resume
        self._marked = False
        """It was marked once; a bucket of the version before isn't until a sidecar has seen it."""
        self._closed = False
        self._over = asyncio.Event()
        """Nobody has to wait any more."""
        self._alarm = asyncio.Event()
        self._reason = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._alarm.clear()
            await self.refresh()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._alarm.wait()

    async def refresh(self) -> None:
        """Once."""
        try:
            found = await self._claims.state()
        except (NatsError, TimeoutError):  # an outage: nothing new is known
            return
        if found.is_open and (found.marked_at or not self._marked):
            self._marked = found.marked_at > 0
            self._go_on()
        else:
            self._stop()

    async def whole(self) -> bool:
        """To be called where the bucket was found lost: wait until it is there again. False: the worker ends before."""
        if not self._closed:
            self._over.clear()
            self._alarm.set()
            await self._over.wait()
        return not self._closed

    def close(self) -> None:
        """Send away who waits, now and later."""
        self._closed = True
        self._over.set()

    async def check(self) -> None:
        """Raise while it is lost."""
        if self._reason:
            raise ConnectionError(self._reason)

    def _stop(self) -> None:
        if not self._reason:
            self._reason = LOST
            self._hold(LOST)
            _log.error("claims.lost", hint="nothing is sent until the sidecar has refilled it")

    def _go_on(self) -> None:
        self._over.set()
        if self._reason:
            self._reason = ""
            self._resume()
            _log.info("claims.back")
