"""What became due while the scheduler was not running is recognised, whatever the clock did before."""

import time

import pytest

from email_consumer.scheduling.misfires import Misfires
from email_consumer.store.database import Database
from tests.integration.scheduling.test_turns import store


async def test_a_clock_that_was_set_back_hides_no_misfire(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()

    def set_clock(moment: float) -> None:
        monkeypatch.setattr(time, "time", lambda: moment)

    running = Misfires(database, "skip", limit=60.0)
    set_clock(now + 3_600)  # wrong by an hour
    await running.record_alive()
    set_clock(now)
    await running.record_alive()
    await store(database, {"acme": 1}, scheduled_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 100)))
    set_clock(now + 300)  # the process was away for these five minutes
    assert await Misfires(database, "skip", limit=60.0).settle() == 1
