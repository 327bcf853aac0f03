"""The end of a process: in the data's order, or at once when a service fails without which it can't go on; never hanging."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from email_consumer.runtime import supervisor
from email_consumer.runtime.supervisor import OnCrash, Service, Supervisor, supervised
from tests.waiting import patience


async def forever() -> None:
    await asyncio.Event().wait()


async def deaf_once() -> None:
    """As `asyncio.wait_for` before Python 3.12 when its result comes with the cancellation."""
    try:
        await forever()
    except asyncio.CancelledError:
        await forever()


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def service(self, name: str) -> Service:
        async def run() -> None:
            try:
                await forever()
            finally:
                self.seen.append(f"{name} ended")

        async def drain() -> None:
            await asyncio.sleep(0)
            self.seen.append(f"{name} drained")

        return Service(name, run, drain)

    @asynccontextmanager
    async def resource(self) -> AsyncIterator[str]:
        try:
            yield "opened"
        finally:
            self.seen.append("closed")


async def test_all_is_drained_before_anything_ends_and_the_last_started_is_first() -> None:
    recorder, stop = Recorder(), asyncio.Event()
    stop.set()
    async with patience(), Supervisor() as services:
        assert await services.enter(recorder.resource()) == "opened"
        services.start(recorder.service("store"))
        services.start(recorder.service("sender"), Service("deaf", deaf_once))
        await asyncio.sleep(0)
        await services.run(stop)
    assert recorder.seen == ["sender drained", "store drained", "sender ended", "store ended", "closed"]


async def test_nothing_ends_before_the_signal() -> None:
    recorder, stop = Recorder(), asyncio.Event()

    async def over_soon() -> None:
        """As a source that was asked to stop."""

    async with Supervisor() as services:
        services.start(recorder.service("sender"), Service("source", over_soon))
        serving = asyncio.create_task(services.run(stop))
        done, _ = await asyncio.wait([serving], timeout=0.05)
        assert not done
        assert recorder.seen == []
        stop.set()
        async with patience():
            await serving
    assert recorder.seen == ["sender drained", "sender ended"]


@pytest.mark.parametrize("stopping", [False, True])
async def test_a_crash_that_ends_the_process_does_so_at_once_even_while_it_drains(*, stopping: bool) -> None:
    stop, crash = asyncio.Event(), asyncio.Event()

    async def lease() -> None:
        await crash.wait()
        raise ValueError("lost")

    async def never_drained() -> None:
        crash.set()
        await forever()

    if stopping:
        stop.set()
    else:
        crash.set()
    async with patience(), Supervisor() as services:
        services.start(Service("lease", lease, on_crash=OnCrash.EXIT), Service("mail", deaf_once, never_drained))
        with pytest.raises(ValueError, match="lost"):
            await services.run(stop)


async def test_a_service_that_crashes_is_logged_and_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART_PAUSE", 0.0)
    begun = 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise RuntimeError("unforeseen")
        again.set()
        await forever()

    with capture_logs() as log:
        async with patience(), supervised(Service("page", work)):
            await again.wait()
    [line] = log
    assert (line["event"], line["service"], line["log_level"], line["exc_info"]) == (
        "service.crashed",
        "page",
        "error",
        True,
    )


async def test_what_was_opened_is_closed_when_a_start_fails() -> None:
    recorder = Recorder()

    async def start() -> None:
        async with Supervisor() as services:
            await services.enter(recorder.resource())
            services.start(recorder.service("store"))
            await asyncio.sleep(0)
            raise ValueError("no such stream")

    with pytest.raises(ValueError, match="no such stream"):
        await start()
    assert recorder.seen == ["store ended", "closed"]


async def test_a_crash_that_nobody_waits_for_is_not_reported_by_asyncio() -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def lease() -> None:
        raise ValueError("lost")

    async with Supervisor() as services:
        services.start(Service("lease", lease, on_crash=OnCrash.EXIT))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    del services
    assert reported == []
