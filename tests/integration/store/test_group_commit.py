"""Whatever goes wrong with a group, nobody waits for ever, and the next group is written."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest

from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.store.database import Database, open_database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.store.key_values import write_value
from tests.waiting import patience


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "email.db") as database:
        await write_value(database, "sum", "0")
        yield database


async def add(connection: aiosqlite.Connection, numbers: list[int]) -> list[int]:
    """Fails as `numbers` bid it, after it has written."""
    await connection.execute("UPDATE facts SET value = value + ? WHERE name = 'sum'", (sum(numbers),))
    if 13 in numbers:
        raise sqlite3.OperationalError(
            "Could not decode to UTF-8 column"
        )  # as Python's module raises it: without a code
    return [number for number in numbers if number != 17]


@pytest.mark.parametrize(("bad", "error"), [(13, sqlite3.OperationalError), (17, ValueError)])
async def test_one_that_fails_gets_its_error_and_the_others_are_written(
    database: Database, bad: int, error: type[Exception]
) -> None:
    group: GroupCommit[int, int] = GroupCommit(database, add)
    async with patience(), supervised(Service("group", group.run)):
        answers = await asyncio.gather(*(group.submit(number) for number in (1, bad, 2)), return_exceptions=True)
        assert await group.submit(4) == 4
    assert [answers[0], answers[2]] == [1, 2]
    assert isinstance(answers[1], error)
    [row] = await database.fetch("SELECT value FROM facts WHERE name = 'sum'")
    assert int(row["value"]) == 7, "what failed is rolled back"
