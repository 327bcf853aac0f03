"""Detects that mail is waiting while none is settled, whatever the reason."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.ticks import until_tick

PATIENCE = 60.0
"""Seconds without a settlement while mail waits, after which the source counts as stalled."""
_CHECKS = 12
"""How often the source is checked within the time of `patience`."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How far a source has come, as reported by the source itself."""

    waiting: int
    """Messages not delivered yet. Those waiting for a retry do not count: they have a reason to wait."""
    settled: int
    """Changes whenever any worker settles a message."""
    hint: str = ""
    """Why the source may not be delivering at the moment."""


class StallDetector:
    def __init__(
        self,
        source: str,
        ask: Callable[[], Awaitable[SourceProgress]],
        metrics: Metrics,
        oldest_unsettled: Callable[[], float | None],
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Watch one source.

        Args:
            source: its name.
            ask: reads its progress; may raise when the source does not respond.
            metrics: of this process.
            oldest_unsettled: seconds since the oldest unsettled delivery of this process began; None without one.
            patience: in seconds.
            clock: seconds; `time.monotonic` unless given.
        """
        self._source = source
        self._ask = ask
        self._metrics = metrics
        self._oldest_unsettled = oldest_unsettled
        self._patience = patience
        self._clock = clock or time.monotonic
        self._moved_at = self._clock()
        self._settled: tuple[int, int] = (0, 0)
        self._text = ""
        self._logged_as_stuck = False

    async def run(self) -> None:
        """Check regularly until cancelled."""
        while True:
            await self.check_once()
            await asyncio.sleep(until_tick(self._patience / _CHECKS))

    async def check_once(self) -> None:
        """Read the progress once, and log when the source stalls or moves again."""
        try:
            progress = await self._ask()
        except Exception as error:  # noqa: BLE001 - any error means "no answer"
            self._text = f"the mail queue does not respond: {error or repr(error)}"
        else:
            self._update(progress)
        self._log_change()

    async def check(self) -> None:
        """Raise while the source is stalled."""
        if self._stuck:
            raise ConnectionError(self._text)

    @property
    def _stuck(self) -> bool:
        return self._clock() - self._moved_at > self._patience

    def _update(self, progress: SourceProgress) -> None:
        now, metrics = self._clock(), self._metrics
        settled = (progress.settled, metrics.settled)
        held = (self._oldest_unsettled() or 0.0) > self._patience
        sent_back = now - metrics.last_systemic_nak_at < 2 * self._patience / _CHECKS
        if settled != self._settled or not (progress.waiting or held or sent_back):
            self._moved_at = now
        self._settled = settled
        silence = f"mail is waiting, and none was settled for {now - self._moved_at:.0f} s"
        why = (
            metrics.bulk_held
            or progress.hint
            or (metrics.last_nak_reason and f"the last one was returned to its source: {metrics.last_nak_reason}")
        )
        self._text = f"{silence} ({why})" if why else silence

    def _log_change(self) -> None:
        if self._stuck != self._logged_as_stuck:
            self._logged_as_stuck = self._stuck
            if self._stuck:
                _log.error("queue.stuck", source=self._source, reason=self._text)
            else:
                _log.info("queue.moving", source=self._source)
