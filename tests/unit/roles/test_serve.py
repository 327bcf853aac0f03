"""The end of a process: in the data's order, or at once when a part of it fails; never hanging."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from email_consumer.roles.role import Role
from email_consumer.roles.supervisor import _serve
from tests.waiting import patience


async def for_ever() -> None:
    await asyncio.Event().wait()


async def deaf_once() -> None:
    """As `asyncio.wait_for` before Python 3.12 when its result comes with the cancellation."""
    try:
        await for_ever()
    except asyncio.CancelledError:
        await for_ever()


def role(*work: Callable[[], Awaitable[None]], drain: Callable[[], Awaitable[None]] = for_ever) -> Role:
    return Role([(each.__name__, each) for each in work], drain)  # type: ignore[misc]


async def test_the_background_runs_until_all_is_drained() -> None:
    stop, drained = asyncio.Event(), asyncio.Event()
    seen: list[bool] = []

    async def beside() -> None:
        try:
            await for_ever()
        finally:
            seen.append(drained.is_set())

    async def over_soon() -> None:
        """As an intake that was told to stop."""

    async def drain() -> None:
        drained.set()

    serving = asyncio.create_task(_serve(role(beside, over_soon, deaf_once, drain=drain), stop))
    done, _ = await asyncio.wait([serving], timeout=0.05)
    assert not done
    stop.set()
    async with patience():
        await serving
    assert seen == [True]


@pytest.mark.parametrize("stopping", [False, True])
async def test_a_part_that_fails_ends_it_at_once_even_while_it_drains(*, stopping: bool) -> None:
    stop = asyncio.Event()
    if stopping:
        stop.set()

    async def fails() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("lost")

    async with patience():
        with pytest.raises(ValueError, match="lost"):
            await _serve(role(fails, deaf_once), stop)
