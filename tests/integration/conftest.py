"""What tests of several packages need."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from email_consumer.store.database import Database, open_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty one, in `tmp_path / "email.db"`."""
    async with open_database(tmp_path / "email.db") as database:
        yield database
