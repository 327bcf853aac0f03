"""Stand-ins for AWS, empty for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal

import pytest

from ses_sandbox.testing import SandboxTask
from tests.integration.aws_setup.cloud import ACCOUNT, Cloud, cloud
from tests.servers.sqs import SqsServer


@pytest.fixture(scope="session")
def moto() -> Iterator[SqsServer]:
    with SqsServer(ACCOUNT) as server:
        yield server


@pytest.fixture
async def sandbox(tmp_path: Path, aws_environment: Path) -> AsyncIterator[SandboxTask]:  # noqa: ARG001 - set first
    async with SandboxTask(tmp_path / "sandbox") as task:
        yield task


@pytest.fixture(params=["https", "sqs"])
def events(request: pytest.FixtureRequest) -> Literal["https", "sqs"]:
    """How events arrive."""
    way: Literal["https", "sqs"] = request.param
    return way


@pytest.fixture
async def aws(
    sandbox: SandboxTask, moto: SqsServer, events: Literal["https", "sqs"], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cloud]:
    for service in ("IAM", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", moto.url)
    async with cloud(sandbox, moto, events) as found:
        yield found
