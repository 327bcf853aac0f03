"""A nats-server and the sidecar on it, for each test its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.api.harness import ApiHarness, running
from tests.servers.nats import NatsServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats") as running_server:
        yield running_server


@pytest.fixture
async def harness(tmp_path: Path, server: NatsServer) -> AsyncIterator[ApiHarness]:
    async with running(tmp_path, server.url) as started:
        yield started
