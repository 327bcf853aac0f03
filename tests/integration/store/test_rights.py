"""Other users of the machine can't read the tables, which hold addresses and what signs links."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from email_consumer.doctor.finding import Finding, Severity
from email_consumer.doctor.storage import check_storage
from email_consumer.store.database import open_database

FILES = ("email.db", "email.db-wal", "email.db-shm", "email.db.lock")


@pytest.fixture(autouse=True)
def _open_handed() -> Iterator[None]:
    """The usual umask: files are readable by everyone unless created otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


def found(path: Path, **options: bool) -> Finding:
    return {each.check: each for each in check_storage(path, low=0, very_low=0, **options)}["storage.rights"]


async def test_only_the_owner_reads_what_is_made(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "email.db"
    async with open_database(path) as database:
        await database.fetch("SELECT 1")
        assert rights(path.parent) == dict.fromkeys(FILES, 0o600)
        assert {each.stat().st_mode & 0o777 for each in (path.parent, path.parent.parent)} == {0o700}


async def test_what_an_earlier_version_left_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "email.db"
    with closing(sqlite3.connect(path)) as killed:
        killed.execute("PRAGMA journal_mode = WAL")
        killed.execute("CREATE TABLE left_behind (value)")
        (tmp_path / "email.db.lock").touch()
        assert set(rights(tmp_path).values()) == {0o644}
        assert found(path).severity is Severity.WARNING
        async with open_database(path):
            assert rights(tmp_path) == dict.fromkeys(FILES, 0o600)
            assert found(path).severity is Severity.OK
    killed.close()


async def test_a_setting_lets_the_group_read(tmp_path: Path) -> None:
    path = tmp_path / "data" / "email.db"
    async with open_database(path, group_reads=True):
        assert rights(path.parent) == dict.fromkeys(FILES[:3], 0o640) | {FILES[3]: 0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o750
        assert found(path, group_reads=True).severity is Severity.OK
        assert found(path).severity is Severity.WARNING
    async with open_database(path):
        assert rights(path.parent) == dict.fromkeys(FILES, 0o600)


_READ = """
import os, sqlite3, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(65534)
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(connection.execute("SELECT count(*) FROM email_requests").fetchone()[0])
"""


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Other users get into it. Not in pytest's directories: each start of pytest closes them."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("group", [0, 65534])
async def test_a_member_of_the_group_queries_the_tables_and_nobody_else_does(open_directory: Path, group: int) -> None:
    path = open_directory / "email.db"
    async with open_database(path, group_reads=True):
        reader = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _READ, str(path), str(group), stdout=-1, stderr=-1
        )
        out, _ = await reader.communicate()
    assert out.decode().strip() == ("0" if group == 0 else "")


def test_a_directory_in_which_others_may_write_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "email.db"
    path.touch(mode=0o600)
    sqlite3.connect(path).close()
    tmp_path.chmod(0o777)
    assert "in place of" in found(path).text
    tmp_path.chmod(0o1777)
    assert found(path).severity is Severity.OK
