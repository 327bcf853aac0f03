"""A migration that is killed anywhere: what it began is undone or done, and the next start goes on."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from email_consumer.store.database import newest_version
from tests.upgrade.grown import grow
from tests.upgrade.installation import SHAPES, VERSIONS, Shape, unpack


async def crashes(database: Path, points: str) -> int:
    """At how many points it was killed without harm."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *("-m", "tests.upgrade.crashes", str(database), points), stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-2000:]
    return int(out)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_at_each_statement(tmp_path: Path, version: str, shape: Shape) -> None:
    unpack(version, shape, tmp_path)
    assert await crashes(tmp_path / "email.db", "statements") > newest_version() - 7


@pytest.mark.parametrize("version", VERSIONS)
async def test_in_the_middle_of_statements_over_many_rows(tmp_path: Path, version: str) -> None:
    unpack(version, "run", tmp_path)
    grow(tmp_path / "email.db", 1000)
    await crashes(tmp_path / "email.db", "instructions")
