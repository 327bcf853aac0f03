"""Mail that became due while the scheduler was not running: sent late, or skipped."""

import time
from typing import Literal

import structlog

from email_consumer.core.outcome import StopReason
from email_consumer.scheduling import statements
from email_consumer.store.database import Database
from email_consumer.store.key_values import read_value, write_value

_ALIVE = "scheduler_alive"
_ALIVE_INTERVAL = 60.0


_log = structlog.get_logger(__name__)


class Misfires:
    """Mail that is late only because of a backlog is not a misfire: the scheduler was running."""

    def __init__(self, database: Database, policy: Literal["send", "skip"], limit: float) -> None:
        """Mail that is up to `limit` seconds late is always sent; beyond that the policy decides."""
        self._database = database
        self._policy = policy
        self._limit = limit
        self._recorded_at = 0.0

    async def settle(self) -> int:
        """Apply the policy once, before the first mail is published; the number of skipped mails."""
        alive = await read_value(self._database, _ALIVE)
        skipped = 0
        if self._policy == "skip" and alive:
            now = time.time()
            reason = f"{StopReason.MISFIRED}: the scheduler was not running when it became due"
            times = {"now": now, "alive": float(alive), "late": now - self._limit, "error": reason}
            async with self._database.transaction() as connection:
                skipped = (await connection.execute(statements.SKIP_MISFIRED, times)).rowcount
            if skipped:
                _log.warning("schedule.misfired", mails=skipped, limit=self._limit, hint="see MISFIRE")
        return skipped

    async def record_alive(self) -> None:
        """Record that the scheduler is running; cheap to call often."""
        now = time.time()
        if abs(now - self._recorded_at) >= _ALIVE_INTERVAL:  # also if the clock was set back
            await write_value(self._database, _ALIVE, str(now))
            self._recorded_at = now
