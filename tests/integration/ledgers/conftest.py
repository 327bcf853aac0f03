"""Ledgers to test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.ledgers.backends import Backend, JetStreamBackend, SqliteBackend, jetstream_backend
from tests.servers.nats import NatsServer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "email.db"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def jetstream(server: NatsServer, path: Path) -> AsyncIterator[JetStreamBackend]:
    async with jetstream_backend(server.url, path) as backend:
        yield backend


@pytest.fixture(params=["sqlite", "jetstream"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path, path: Path) -> AsyncIterator[Backend]:
    if request.param == "sqlite":
        yield SqliteBackend(path)
        return
    async with NatsServer(tmp_path / "nats") as server, jetstream_backend(server.url, path) as jetstream:
        yield jetstream
