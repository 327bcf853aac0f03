"""A sandbox for each test, and an SES client of it."""

import functools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

from sandbox_clients import client
from ses_sandbox.testing import Control, SandboxTask

# Each session of botocore would parse the same megabytes of JSON again.
_parse = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
JSONFileLoader.load_file = lambda _, path: _parse(path)  # type: ignore[assignment, method-assign]

# A busy machine makes examples slow; that is no property of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Control]:
    async with SandboxTask(tmp_path_factory.mktemp("sandbox")) as task:
        yield task


@pytest.fixture
async def ses(sandbox: Control) -> AsyncIterator[Any]:
    async with client("sesv2", sandbox.url) as sesv2:
        yield sesv2
