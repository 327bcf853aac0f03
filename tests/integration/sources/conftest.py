"""A nats-server and one SQS queue for a test, as others see it and as we do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from email_consumer.jetstream.client import SteadyClient
from email_consumer.sqs.queue import SqsQueue
from tests.integration.sources.sqs_source import opened
from tests.servers.nats import NatsServer
from tests.servers.sqs import SqsServer, TestQueue


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
async def mail(sqs_server: SqsServer) -> TestQueue:
    return await sqs_server.create_queue("mail")


@pytest.fixture
async def queue(sqs_server: SqsServer, mail: TestQueue) -> AsyncIterator[SqsQueue]:
    async with opened(sqs_server, mail) as queue:
        yield queue


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path) as server:
        yield server


async def silent(_: Exception) -> None:
    """nats-py would print each failed reconnect."""


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = SteadyClient()
    await client.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=silent)  # type: ignore[arg-type]
    yield client
    await client.close()
