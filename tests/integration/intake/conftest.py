"""One SQS queue for a test, as others see it and as we do."""

from collections.abc import AsyncIterator

import pytest

from email_consumer.sqs.queue import SqsQueue
from tests.integration.intake.sqs_source import opened
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
