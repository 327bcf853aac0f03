"""Mail that an earlier version holds: in the tables, on its way to them, and in the stream."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from email_consumer.store.database import newest_version
from email_consumer.store.status import Status
from tests.servers.daemon import Daemon
from tests.upgrade.conftest import Recorded
from tests.upgrade.held_recorder import TENANT, TOPIC
from tests.upgrade.installation import SHAPES, WITH_HELD, Shape, installation, unpack
from tests.upgrade.test_killed_migration import crashes
from tests.upgrade.test_upgrade import running, settled, shown

_VERSIONS_AND_SHAPES = [(version, shape) for version in WITH_HELD for shape in SHAPES]


@pytest.fixture(params=_VERSIONS_AND_SHAPES, ids="-".join)
async def held(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Recorded]:
    version, shape = request.param
    manifest = unpack(version, shape, tmp_path, held=True)
    async with installation(tmp_path, shape) as place:
        yield Recorded(place, manifest)


async def all_is_sent_once_it_is_resumed(recorded: Recorded) -> None:
    """Killed between the two holds; nothing is sent before its holds end."""
    place, manifest = recorded.place, recorded.manifest
    held, sent = manifest["held"], dict.fromkeys(manifest["arrives"], 1)
    count = "SELECT count(*) FROM email_requests WHERE held_by IS NOT NULL AND status = 0"
    async with running(place, ACK_WAIT=2):
        await settled(place, sent)
        await place.until(count, sum(map(len, held.values())))
        active = (await place.ask("GET", "/v1/holds"))["holds"]
        assert {hold["key"]: hold["reason"] for hold in active} == dict.fromkeys((TOPIC, TENANT), "wrong prices")
        assert set(await place.sent()) == set(sent)
        await place.ask("DELETE", f"/v1/holds/{TOPIC.replace(':', '%3A')}")
    async with running(place, ACK_WAIT=2):
        sent |= dict.fromkeys(held[TOPIC], 1)
        await settled(place, sent)
        await place.ask("DELETE", f"/v1/holds/{TENANT.replace(':', '%3A')}")
        sent |= dict.fromkeys([*held[TENANT], *held["both"]], 1)
        await settled(place, sent)
        await shown(place, dict.fromkeys([*sent, *manifest["sent"]], Status.SENT))
        await shown(place, dict.fromkeys(manifest["stopped"], Status.STOPPED))


async def test_it_waits_for_the_end_of_its_hold_and_is_sent_once(held: Recorded) -> None:
    await all_is_sent_once_it_is_resumed(held)


async def test_killed_at_each_step_of_the_migration_it_is_sent_once(held: Recorded) -> None:
    def has_migrated(daemon: Daemon) -> bool:
        return daemon.count("store.migrated") + daemon.count("daemon.started") > 0

    migrating = True
    while migrating:
        [daemon, *_] = held.place.daemons(ACK_WAIT=2)
        await daemon.launch()
        await daemon.wait_until(partial(has_migrated, daemon))
        await daemon.kill()
        migrating = daemon.count("store.migrated") > 0
    await all_is_sent_once_it_is_resumed(held)
    assert held.place.rows("PRAGMA user_version") == [(newest_version(),)]


@pytest.mark.parametrize(("version", "shape"), _VERSIONS_AND_SHAPES)
async def test_a_migration_that_is_killed_at_any_statement_keeps_it(tmp_path: Path, version: str, shape: Shape) -> None:
    unpack(version, shape, tmp_path, held=True)
    assert await crashes(tmp_path / "email.db", "statements") > 0
