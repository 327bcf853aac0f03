"""A real nats-server, and what the sidecar publishes through."""

from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from email_consumer.jetstream.publisher import Publisher
from tests.servers.nats import NatsServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    yield client
    await client.close()


@pytest.fixture
def publisher(client: Client) -> Publisher:
    return Publisher(client)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "email.db"
