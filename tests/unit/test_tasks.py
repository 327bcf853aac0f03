import asyncio
import contextlib

from email_consumer.tasks import beside, end


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


async def test_work_beside_a_block_ends_with_it_and_what_it_raised_is_not_raised_again() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async with beside(work("a"), work("b")):
        await asyncio.sleep(0)
        assert not ended
    assert sorted(ended) == ["a", "b"]
