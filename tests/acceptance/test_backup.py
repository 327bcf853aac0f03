"""A backup that is made while the daemon sends, put back, and a daemon started on it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.conftest import World
from tests.acceptance.publisher import as_map
from tests.servers.daemon import Daemon


async def back_up(world: World, file: Path) -> Daemon:
    command = Daemon(world.directory / "daemon", world.variables, "backup", str(file))
    await command.launch()
    await command.ended()
    return command


def put_back(copy: Path, database: Path) -> None:
    for file in database.parent.glob("email.db*"):
        file.unlink(missing_ok=True)
    shutil.copy(copy, database)


def statuses(copy: Path) -> dict[str, int]:
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(connection.execute("SELECT uuid, status FROM email_requests"))


async def test_what_was_sent_before_it_stays_sent_and_what_waits_is_sent(world: World) -> None:
    copy, uuids = world.directory / "copy.db", [f"mail-{number}" for number in range(1000)]
    async with world.daemon(SES_RATE_PER_SEC=500) as daemon:
        await world.publisher.publish([as_map("later", scheduled_at="2099-01-01T00:00:00Z")])
        await world.emptied()
        await world.publisher.publish(as_map(uuid) for uuid in uuids)
        await world.wait_sent(100)
        command = await back_up(world, copy)  # it is sending
        assert [line["event"].rpartition(":")[0] for line in command.log] == [f"data/email.db copied to {copy}"]
        await world.wait_sent(1000)
        await world.emptied()
        await daemon.stop()
    kept = statuses(copy)
    finished = [uuid for uuid in uuids if kept.get(uuid) == 2]
    assert 100 <= len(finished) < 1000
    assert kept["later"] == 0
    put_back(copy, world.directory / "daemon" / "data" / "email.db")
    async with world.daemon():
        await world.publisher.publish(as_map(uuid) for uuid in [*finished, "new"])
        await world.wait_sent(1001)
        await world.emptied()
    assert await world.sent() == dict.fromkeys([*uuids, "new"], 1)
