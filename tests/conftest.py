"""Servers that all tests of a process share: each test makes its own queues there."""

from collections.abc import Iterator

import pytest

from tests.servers.sqs import SqsServer


@pytest.fixture(scope="session")
def sqs_server() -> Iterator[SqsServer]:
    with SqsServer() as server:
        yield server
