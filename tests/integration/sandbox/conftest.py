"""A sandbox for each test, and the real AWS clients pointed at it."""

from collections.abc import AsyncIterator
from typing import Any

import aioboto3
import pytest
from botocore.config import Config

from tests.servers.sandbox import SandboxTask
from tests.servers.sandbox_control import Control

REGION = "ap-northeast-2"
ONE_ATTEMPT = Config(retries={"total_max_attempts": 1}, read_timeout=10)


@pytest.fixture
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Control]:
    async with SandboxTask(tmp_path_factory.mktemp("sandbox")) as task:
        yield task


def client(service: str, url: str, **options: Any) -> Any:
    """An aioboto3 client with the sandbox's credentials; use it as a context manager."""
    credentials = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox-secret"}
    defaults = {"region_name": REGION, "endpoint_url": url, "config": ONE_ATTEMPT}
    return aioboto3.Session().client(service, **credentials | defaults | options)


@pytest.fixture
async def ses(sandbox: Control) -> AsyncIterator[Any]:
    async with client("sesv2", sandbox.url) as sesv2:
        yield sesv2
