"""Kills the migration of a database at each of its statements, or now and then within them, and lets it go on.

    python -m tests.upgrade.crashes DATABASE statements|instructions

Prints at how many points it was killed. A point is bad, and named, if what came out in the end is not what comes out of a
migration that nobody disturbs. Each attempt is a process of its own, forked before there is any thread, that kills itself.
"""

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from email_consumer.store.database import open_database

_INSTRUCTIONS = 2_000
"""Of SQLite's machine, from one point to the next."""
_MOST_POINTS = 25
"""Within statements: as many as a test has time for, evenly spread."""
_CONNECT = sqlite3.connect

Watch = Callable[[sqlite3.Connection, Callable[[], None]], None]


def by_statement(connection: sqlite3.Connection, reached: Callable[[], None]) -> None:
    connection.set_trace_callback(lambda _: reached())


def by_instructions(connection: sqlite3.Connection, reached: Callable[[], None]) -> None:
    connection.set_progress_handler(reached, _INSTRUCTIONS)


WATCHES: dict[str, Watch] = {"statements": by_statement, "instructions": by_instructions}


def migrate(database: Path, watch: Watch, kill_at: int = 0) -> int:
    """In a process of its own, killed at the `kill_at`-th point, if it is reached; how many points there were."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, str(_migrate_here(database, watch, kill_at)).encode())
        except BaseException as error:  # noqa: BLE001 - nothing of this process may go on in the child
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        output = pipe.read()
    expected = -signal.SIGKILL if kill_at else 0
    if (ended := os.waitstatus_to_exitcode(status)) != expected:
        raise SystemExit(f"the migration ended with {ended}, not {expected}")
    return int(output or 0)


def _migrate_here(database: Path, watch: Watch, kill_at: int) -> int:
    points = 0

    def reached() -> None:
        nonlocal points
        points += 1
        if points == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect(*arguments: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = _CONNECT(*arguments, **options)  # type: ignore[call-overload]
        if points == 0:  # the writer comes first; the reader migrates nothing
            watch(connection, reached)
        return connection

    async def open_and_close() -> None:
        async with open_database(database):
            pass

    sqlite3.connect = connect  # type: ignore[assignment]
    asyncio.run(open_and_close())
    return points


def content(database: Path) -> list[str]:
    with closing(_CONNECT(database)) as connection:
        [(version,)] = connection.execute("PRAGMA user_version")
        return [str(version), *connection.iterdump()]


def main(database: Path, watch: Watch) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with TemporaryDirectory() as directory:
        copy = partial(_copied, database, Path(directory))
        undisturbed = copy("undisturbed")
        points = migrate(undisturbed, watch)
        expected = content(undisturbed)
        step = max(1, points // _MOST_POINTS) if watch is by_instructions else 1
        chosen = range(1, points + 1, step)
        for point in chosen:
            disturbed = copy(f"killed-at-{point}")
            migrate(disturbed, watch, kill_at=point)
            migrate(disturbed, watch)
            if content(disturbed) != expected:
                raise SystemExit(f"killed at point {point} of {points}: something else came out")
    print(len(chosen))


def _copied(database: Path, directory: Path, name: str) -> Path:
    for file in database.parent.glob(f"{database.name}*"):
        shutil.copy(file, directory / file.name.replace(database.name, name))
    return directory / name


if __name__ == "__main__":
    main(Path(sys.argv[1]), WATCHES[sys.argv[2]])
