"""The daemon that the clients speak to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.api.conftest import api
from tests.acceptance.clients.installation import Installation, installed

__all__ = ["api"]


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(tmp_path / "installation") as running:
        yield running
