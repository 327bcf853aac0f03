"""A worker's guard over the claims bucket: while it is lost, no mail is released, and claims wait."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError

from email_consumer.ledgers.jetstream.bucket import LOST
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream

_INTERVAL = 1.0
"""Seconds between two checks."""

_log = structlog.get_logger(__name__)


class ClaimsGuard:
    """`run` it as a service. Workers never create the bucket: an empty one would not know what has been sent."""

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
        """Whether the bucket was ever marked; one of the previous version is not until a sidecar has adopted it."""
        self._closed = False
        self._over = asyncio.Event()
        """Set while nobody has to wait."""
        self._alarm = asyncio.Event()
        self._reason = ""

    async def run(self) -> None:
        """Check regularly until cancelled."""
        while True:
            self._alarm.clear()
            await self.refresh()
            with suppress(TimeoutError):
                async with asyncio.timeout(_INTERVAL):
                    await self._alarm.wait()

    async def refresh(self) -> None:
        """Read the bucket's state once, and hold or resume accordingly."""
        try:
            found = await self._claims.state()
        except (NatsError, TimeoutError):  # an outage tells nothing about the bucket
            return
        if found.is_open and (found.marked_at or not self._marked):
            self._marked = found.marked_at > 0
            self._resume_claims()
        else:
            self._hold_claims()

    async def whole(self) -> bool:
        """Call this when the bucket was found lost: waits until it is complete again; False if the worker stops first."""
        if not self._closed:
            self._over.clear()
            self._alarm.set()
            await self._over.wait()
        return not self._closed

    def close(self) -> None:
        """Let all waiting callers return, now and in the future."""
        self._closed = True
        self._over.set()

    async def check(self) -> None:
        """Raise while the bucket is lost."""
        if self._reason:
            raise ConnectionError(self._reason)

    def _hold_claims(self) -> None:
        if not self._reason:
            self._reason = LOST
            self._hold(LOST)
            _log.error("claims.lost", hint="nothing is sent until the sidecar has refilled it")

    def _resume_claims(self) -> None:
        self._over.set()
        if self._reason:
            self._reason = ""
            self._resume()
            _log.info("claims.back")
