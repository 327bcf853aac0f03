"""A delivery that kills the process that decodes it is identified, with a file and with a bucket."""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from email_consumer.core.careful_reader import FATAL
from email_consumer.store.reading_journal import open_journal
from tests.integration.store.reading import main
from tests.servers.nats import NatsServer

# Forked from a process that has imported what is needed, as starting dozens of interpreters takes long.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.integration.store.reading"])

Reading = Callable[..., Awaitable[tuple[int, list[str]]]]


@pytest.fixture(params=["file", "bucket"])
async def reading(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reading]:
    """Runs the process once: its exit code, and what it said."""

    def run_and_wait(place: str, names: tuple[str, ...]) -> tuple[int, list[str]]:
        ours, theirs = _PROCESSES.Pipe(duplex=False)
        process = _PROCESSES.Process(target=main, args=(place, names, theirs))
        process.start()
        theirs.close()
        said = []
        with ours, suppress(EOFError):
            while True:
                said.append(ours.recv())
        process.join()
        return process.exitcode or 0, said

    async def run(place: str, *names: str) -> tuple[int, list[str]]:
        return await asyncio.to_thread(run_and_wait, place, names)

    if request.param == "file":
        yield lambda *names: run(str(tmp_path / "email.db"), *names)
        return
    async with NatsServer(tmp_path / "nats") as server:
        yield lambda *names: run(server.url, *names)


async def test_it_is_left_unread_in_the_end_and_nobody_else_is(reading: Reading) -> None:
    names = ["a", "poison", *"bcd", "deadly", *"efgh"]
    for _ in range(FATAL):
        code, said = await reading(*names)
        assert code == -signal.SIGKILL
        assert "5 read" not in said
    code, said = await reading(*names)
    assert code == 0
    assert [line for line in said if not line.endswith(" read")] == [
        "1 not decodable",
        f"5 left unread: each of the {FATAL} processes that began to read it was killed; it was left unread",
    ]


async def test_readings_that_are_survived_count_for_nothing(reading: Reading) -> None:
    for _ in range(2 * FATAL):
        assert await reading("a") == (0, ["0 read"])
    for _ in range(FATAL - 1):
        assert (await reading("deadly"))[0] == -signal.SIGKILL
    assert await reading("harmless after all") == (0, ["0 read"])
    assert (await reading("deadly"))[0] == -signal.SIGKILL


@pytest.mark.parametrize(
    "content", ["", "x", "{}", " " * 32 + "[1]", "\0" * 100, "0" * 32 + '{"a": "b"}', "é" * 1_000_000]
)
async def test_whatever_the_file_holds_the_next_note_can_be_read(content: str, tmp_path: Path) -> None:
    path = tmp_path / "email.db-reading"
    path.write_text(content)
    async with open_journal(tmp_path / "email.db") as first:
        await first.begin("a" * 32)
    async with open_journal(tmp_path / "email.db") as second:
        assert await second.begin("a" * 32) == 1
        await second.end("a" * 32)
    async with open_journal(tmp_path / "email.db") as third:
        assert await third.begin("a" * 32) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size < 200


async def test_the_file_stays_small(tmp_path: Path) -> None:
    for number in range(1_200):
        async with open_journal(tmp_path / "email.db") as journal:
            await journal.begin(f"{number:032}")
    assert (tmp_path / "email.db-reading").stat().st_size < 50_000
