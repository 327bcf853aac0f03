"""Notices that mail waits and none moves, whatever the reason is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from email_consumer.core.metrics import Metrics

PATIENCE = 60.0
"""Seconds without a settlement while mail waits."""
_LOOKS = 12
"""In the time of patience."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How far a source has come, as it says itself."""

    waiting: int
    """Messages that were never delivered so far; those that wait for another attempt have reasons of their own."""
    settled: int
    """Changes whenever a message is settled, by whichever worker."""
    hint: str = ""
    """Why it may give us none at present."""


class StallDetector:
    def __init__(
        self,
        source: str,
        ask: Callable[[], Awaitable[SourceProgress]],
        metrics: Metrics,
        oldest_unsettled: Callable[[], float | None],
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take what is watched.

        Args:
            source: its name.
            ask: may raise where it gives no answer.
            metrics: of this process.
            oldest_unsettled: for how many seconds the oldest delivery has been in hand here; None: there is none.
            patience: in seconds.
            clock: seconds, monotonic.
        """
        self._source = source
        self._ask = ask
        self._metrics = metrics
        self._oldest_unsettled = oldest_unsettled
        self._patience = patience
        self._clock = clock
        self._moved_at = clock()
        self._settled: tuple[int, int] = (0, 0)
        self._text = ""
        self._told = False

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.check_once()
            await asyncio.sleep(self._patience / _LOOKS)

    async def check_once(self) -> None:
        """Once."""
        try:
            progress = await self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, it gives no answer
            self._text = f"the queue of mail gives no answer: {error or repr(error)}"
        else:
            self._take(progress)
        self._say()

    async def check(self) -> None:
        """Raise while nothing has moved for too long."""
        if self._stuck:
            raise ConnectionError(self._text)

    @property
    def _stuck(self) -> bool:
        return self._clock() - self._moved_at > self._patience

    def _take(self, progress: SourceProgress) -> None:
        now, metrics = self._clock(), self._metrics
        settled = (progress.settled, metrics.settled)
        held = (self._oldest_unsettled() or 0.0) > self._patience
        sent_back = now - metrics.last_systemic_nak_at < 2 * self._patience / _LOOKS
        if settled != self._settled or not (progress.waiting or held or sent_back):
            self._moved_at = now
        self._settled = settled
        silence = f"mail waits, and none was settled for {now - self._moved_at:.0f} s"
        why = progress.hint or (metrics.last_nak_reason and f"the last one was sent back: {metrics.last_nak_reason}")
        self._text = f"{silence} ({why})" if why else silence

    def _say(self) -> None:
        if self._stuck != self._told:
            self._told = self._stuck
            if self._stuck:
                _log.error("queue.stuck", source=self._source, reason=self._text)
            else:
                _log.info("queue.moving", source=self._source)
