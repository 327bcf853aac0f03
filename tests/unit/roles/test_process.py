"""What keeps a process from starting for a while is waited for; what won't pass ends it."""

import sqlite3

import pytest
from structlog.testing import capture_logs

from email_consumer.roles import process
from email_consumer.runtime.errors import OperatorError
from email_consumer.runtime.supervisor import Supervisor


def _refusal(text: str, code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


async def _start(*errors: Exception) -> int:
    """Start a role whose builds fail with these errors, one each; how many builds there were."""
    waiting, built = list(errors), 0

    async def build(_services: Supervisor) -> None:
        nonlocal built
        built += 1
        if waiting:
            raise waiting.pop(0)

    async with await process._start(build):
        return built


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [("database or disk is full", sqlite3.SQLITE_FULL), ("database is locked", sqlite3.SQLITE_BUSY)],
)
async def test_a_database_that_accepts_no_writes_delays_the_start(text: str, code: int) -> None:
    with capture_logs() as lines:
        assert await _start(_refusal(text, code)) == 2
    assert [(line["event"], line["error"]) for line in lines] == [("daemon.start_delayed", text)]


async def test_one_that_never_does_ends_it_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PATIENCE", -1.0)
    with pytest.raises(OperatorError, match="DB_PATH: the database accepts no writes: database or disk is full"):
        await _start(_refusal("database or disk is full", sqlite3.SQLITE_FULL))


async def test_an_error_that_will_not_pass_is_not_retried() -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await _start(_refusal("no such table: facts", sqlite3.SQLITE_ERROR), _refusal("again", sqlite3.SQLITE_ERROR))
