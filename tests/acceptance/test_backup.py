"""A backup that is made while the daemon sends, put back, and a daemon started on it."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.servers.daemon import Daemon
from tests.waiting import until


async def back_up(harness: DaemonHarness, file: Path) -> Daemon:
    command = Daemon(harness.directory / "daemon", harness.variables, "backup", str(file))
    await command.launch()
    await command.ended()
    return command


def put_back(copy: Path, database: Path) -> None:
    for file in database.parent.glob("email.db*"):
        file.unlink(missing_ok=True)
    shutil.copy(copy, database)


def statuses(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT uuid, status FROM email_requests"))


async def test_what_was_sent_before_it_stays_sent_and_what_waits_is_sent(harness: DaemonHarness) -> None:
    copy, uuids = harness.directory / "copy.db", [f"mail-{number}" for number in range(1000)]
    database = harness.directory / "daemon" / "data" / "email.db"
    async with harness.daemon(SES_RATE_PER_SEC=500) as daemon:
        await harness.publisher.publish([as_map("later", scheduled_at="2099-01-01T00:00:00Z")])
        await harness.emptied()
        await harness.publisher.publish(as_map(uuid) for uuid in uuids)
        await until(lambda: list(statuses(database).values()).count(2) >= 100)  # recorded, not only accepted by SES
        command = await back_up(harness, copy)  # it is sending
        assert [line["event"].rpartition(":")[0] for line in command.log] == [f"data/email.db copied to {copy}"]
        await harness.wait_sent(1000)
        await harness.emptied()
        await daemon.stop()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    kept = statuses(copy)
    finished = [uuid for uuid in uuids if kept.get(uuid) == 2]
    assert 100 <= len(finished) < 1000
    assert kept["later"] == 0
    put_back(copy, database)
    async with harness.daemon():
        await harness.publisher.publish(as_map(uuid) for uuid in [*finished, "new"])
        await harness.wait_sent(1001)
        await harness.emptied()
    assert await harness.sent() == dict.fromkeys([*uuids, "new"], 1)


async def test_put_back_after_an_accident_it_sends_nothing_twice(harness: DaemonHarness) -> None:
    """What waited in the backup, and what was under way when the original ended, may have been sent; here it was."""
    copy, uuids = harness.directory / "copy.db", [f"mail-{number}" for number in range(100)]
    database = harness.directory / "daemon" / "data" / "email.db"
    variables = {"IN_DOUBT": "park", "ACK_WAIT": "1", "SHUTDOWN_GRACE": "0.1"}
    async with harness.daemon(**variables) as daemon:
        later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        await harness.publisher.publish(
            [as_map("due", scheduled_at=later), as_map("never", scheduled_at="2099-01-01T00:00:00Z")]
        )
        await until(lambda: len(statuses(database)) == 2)
        await back_up(harness, copy)
        await harness.wait_sent(1)
        unanswered = await harness.fault(times=10, kind="hang_after")
        await harness.publisher.publish(as_map(uuid) for uuid in uuids)
        await harness.struck(unanswered, hits=10)
        await harness.wait_sent(101)
        await daemon.stop()
    put_back(copy, database)
    await harness.heal()
    async with harness.daemon(**variables) as daemon:
        assert (await daemon.wait_for("store.restored"))["in_doubt"] == 1
        await harness.emptied()
        await until(lambda: statuses(database)["due"] == 3)  # parked
    assert await harness.sent() == dict.fromkeys(["due", *uuids], 1)
    assert statuses(database)["never"] == 0
