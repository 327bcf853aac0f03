"""The backup alone: while another connection writes, and where it can't be made."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from email_consumer.cli import main
from email_consumer.store.backup import BackupError, back_up
from email_consumer.store.database import open_database
from tests.integration.store.mails import add_mail


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def uuids(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [uuid for (uuid,) in connection.execute("SELECT uuid FROM email_requests ORDER BY id")]


async def test_it_holds_what_was_committed_and_nothing_of_a_transaction_under_way(tmp_path: Path) -> None:
    path, copy = tmp_path / "email.db", tmp_path / "copy.db"
    async with open_database(path) as database:
        before = [await add_mail(database) for _ in range(3)]
        async with database.transaction() as connection:
            await connection.execute("UPDATE email_requests SET uuid = 'half-written' WHERE id = 1")
            size = back_up(path, copy, is_ledger=True)
    assert uuids(copy) == before
    assert size == copy.stat().st_size
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [name for name in names(tmp_path) if "copy" in name] == ["copy.db"]
    async with open_database(copy) as database:  # it is a file like any other
        assert len(await database.fetch("SELECT 1 FROM email_requests")) == 3


async def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path, copy = tmp_path / "email.db", tmp_path / "copy.db"
    async with open_database(path):
        copy.write_text("precious")
        with pytest.raises(BackupError, match="already exists"):
            back_up(path, copy, is_ledger=True)
    assert copy.read_text() == "precious"
    assert [name for name in names(tmp_path) if "copy" in name] == ["copy.db"]


@pytest.mark.parametrize("target", ["missing/copy.db", "email.db/copy.db"])
async def test_a_failed_backup_leaves_no_files(tmp_path: Path, target: str) -> None:
    async with open_database(tmp_path / "email.db"):
        files = names(tmp_path)
        with pytest.raises(BackupError, match="can't be copied to"):
            back_up(tmp_path / "email.db", tmp_path / target, is_ledger=True)
        assert names(tmp_path) == files


def test_without_a_file_it_says_which_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_PATH", "other.db")
    result = CliRunner().invoke(main, ["backup", "copy.db"])
    assert (result.exit_code, result.stderr) == (1, "Error: DB_PATH: other.db does not exist\n")
    assert not list(tmp_path.iterdir())


async def test_what_is_no_database_is_said_and_not_copied(tmp_path: Path) -> None:
    (tmp_path / "email.db").write_bytes(b"no SQLite file" * 1000)
    with pytest.raises(BackupError, match="not a database"):
        back_up(tmp_path / "email.db", tmp_path / "copy.db", is_ledger=True)
    assert names(tmp_path) == ["email.db"]
