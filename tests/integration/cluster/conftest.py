"""What the tests of a fleet share: a real nats-server, and workers on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.cluster.membership_harness import MembershipHarness
from tests.servers.nats import NatsServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path) as server:
        yield server


@pytest.fixture
async def harness(server: NatsServer) -> AsyncIterator[MembershipHarness]:
    harness = MembershipHarness(server)
    yield harness
    await harness.end()
