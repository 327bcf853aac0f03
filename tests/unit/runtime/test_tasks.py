import asyncio
import contextlib

import pytest
from structlog.testing import capture_logs

from email_consumer.runtime import tasks
from email_consumer.runtime.tasks import beside, end


async def test_a_task_that_swallows_a_cancellation_ends_all_the_same() -> None:
    swallowed = asyncio.Event()

    async def deaf_once() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    await end(task)
    assert swallowed.is_set()
    assert task.cancelled()


async def test_the_end_of_nothing_is_no_error() -> None:
    await end()


async def test_work_beside_a_block_ends_with_it() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async with beside(lambda: work("a"), lambda: work("b")):
        await asyncio.sleep(0)
        assert not ended
    assert sorted(ended) == ["a", "b"]


async def test_work_that_raises_says_so_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_RESTART_PAUSE", 0.0)
    begun = 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise RuntimeError("unforeseen")
        again.set()
        await asyncio.Event().wait()

    with capture_logs() as log:
        async with beside(work):
            await again.wait()
    assert begun == 2
    [line] = log
    assert (line["event"], line["log_level"], line["exc_info"]) == ("task.crashed", "error", True)
