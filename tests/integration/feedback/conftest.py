from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the SQLite file."""
    return tmp_path / "email.db"


@pytest.fixture(autouse=True)
def _aws(aws_environment: Path) -> None:
    """For every test here."""
