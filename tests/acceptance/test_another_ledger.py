"""What operators do once a year: another kind of ledger."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.servers.daemon import Daemon
from tests.servers.ports import free_ports

_UUIDS = [f"mail-{number}" for number in range(20)]


async def test_from_a_ledger_in_a_file_to_one_in_jetstream(harness: DaemonHarness) -> None:
    """A uuid that was sent before is a duplicate afterwards, and what was scheduled is sent."""
    directory = harness.directory / "daemon"
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    async with harness.daemon() as daemon:
        await harness.publisher.publish([*map(as_map, _UUIDS), as_map("later", scheduled_at=soon)])
        await harness.wait_sent(20)
        await harness.emptied()
        assert await daemon.stop() == 0
    ports = [str(port) for port in free_ports(2)]
    variables = harness.variables | {"LEDGER": "jetstream", "IN_DOUBT_GRACE": "10"}
    async with AsyncExitStack() as processes:
        for role, port in zip(("sidecar", "worker"), ports, strict=True):
            where = directory if role == "sidecar" else harness.directory / role
            await processes.enter_async_context(Daemon(where, variables | {"SERVER_PORT": port}, role))
        await harness.publisher.publish([*map(as_map, _UUIDS), as_map("new")])
        await harness.wait_sent(22)
        await harness.emptied()
    assert await harness.sent() == dict.fromkeys([*_UUIDS, "later", "new"], 1)
