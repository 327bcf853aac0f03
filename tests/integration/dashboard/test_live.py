"""The live events: one look a second for all viewers together, and none for nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Failed, Throttled
from email_consumer.dashboard.live_routes import LiveRoutes
from email_consumer.dashboard.sampler import Sampler
from email_consumer.dashboard.session_routes import SessionRoutes
from email_consumer.dashboard.sessions import Sessions
from email_consumer.dashboard.snapshot import Held, Part, Snapshot
from email_consumer.web.app import create_app
from email_consumer.web.server import Server
from tests.integration.dashboard.harness import HERE
from tests.waiting import PATIENCE, patience, until

KEY = "live-key"
SECRET = "sender anna@example.com is not verified"

Event = tuple[str, Any]


@dataclass
class Show:
    """A sampler whose seconds the test hands out, and the server before it."""

    metrics: Metrics
    sampler: Sampler
    url: str
    session: aiohttp.ClientSession
    ticks: asyncio.Queue[None]
    looks: int = 0
    streams: list[aiohttp.ClientResponse] = field(default_factory=list)

    async def watch(self, path: str = "/v1/live", **headers: str) -> aiohttp.ClientResponse:
        response = await self.session.get(self.url + path, headers=headers or {"X-API-KEY": KEY})
        self.streams.append(response)
        return response

    def tick(self) -> None:
        """Let one look end, whenever the sampler comes to it."""
        self.ticks.put_nowait(None)


async def event(stream: aiohttp.ClientResponse) -> Event:
    """The next event of a stream; `end` at its end."""
    async with patience():
        name = b""
        async for line in stream.content:
            if line.startswith(b"event: "):
                name = line[7:].strip()
            elif line.startswith(b"data: "):
                return name.decode(), orjson.loads(line[6:])
        return "end", None


@asynccontextmanager
async def show(*, public: bool = False) -> AsyncIterator[Show]:
    metrics = Metrics(rate=50)
    ticks: asyncio.Queue[None] = asyncio.Queue()

    async def look() -> Snapshot:
        await ticks.get()
        it.looks += 1
        held = (Held(f"topic:{SECRET}", "operator", SECRET),)
        return Snapshot(0, 0, None, None, 2, None, (Part("SES", "held", SECRET),), holds=held)

    sampler, sessions = Sampler(metrics, look, interval=0.01), Sessions()
    routes = [
        *LiveRoutes(sampler, public=public).routes(),
        *SessionRoutes(sessions, HERE, public=public, key_set=True).routes(),
    ]
    app = create_app(routes, [KEY], version="1", admits=sessions.admits)
    running = asyncio.create_task(sampler.run())
    async with (
        Server(app, 0, host="127.0.0.1") as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        it = Show(metrics, sampler, f"http://127.0.0.1:{server.port}", session, ticks)
        yield it
        running.cancel()
        await asyncio.wait([running])
        for stream in it.streams:
            stream.close()


async def test_a_viewer_gets_what_was_and_then_what_is() -> None:
    async with show() as it:
        it.metrics.outcomes.update({Throttled: 3, Failed: 2})
        it.metrics.recipients_sent = 70
        it.metrics.transactional_recipients_sent = 7
        early = await it.watch()
        await event(early)
        it.tick()
        await event(early)  # by now a point was taken
        stream = await it.watch()
        assert stream.content_type == "text/event-stream"
        name, points = await event(stream)
        assert name == "history"
        assert sum(point[4] for point in points) == 3
        assert sum(point[5] for point in points) == 2
        assert max(point[1] for point in points) > 0
        assert sum(point[6] for point in points) == pytest.approx(sum(point[1] for point in points) / 10, abs=1)
        assert points[-1][2] == 50
        it.tick()
        name, sample = await event(stream)
        assert name == "sample"
        assert sample["point"][0] >= points[-1][0]
        assert sample["state"]["in_doubt"] == 2
        assert sample["state"]["parts"] == [{"name": "SES", "condition": "held", "text": SECRET}]


async def test_many_viewers_cost_as_one() -> None:
    async with show() as it:
        streams = [await it.watch() for _ in range(5)]
        for stream in streams:
            assert (await event(stream))[0] == "history"
        it.tick()
        first = [await event(stream) for stream in streams]
        assert [sample for _, sample in first] == [first[0][1]] * 5
        assert it.looks == 1


async def test_nobody_costs_nothing() -> None:
    async with show() as it:
        for _ in range(100):
            it.tick()

        async def points() -> bool:
            return it.sampler.history().count(b"],[") > 3

        await until(points)
        assert it.looks == 0


async def test_a_viewer_who_leaves_is_not_counted_any_more() -> None:
    async with show() as it:
        stream = await it.watch()
        await event(stream)
        assert it.sampler.viewers == 1
        stream.close()

        async def gone() -> bool:
            it.tick()
            return it.sampler.viewers == 0

        await until(gone)


async def test_the_public_gets_numbers_and_no_text() -> None:
    async with show(public=True) as it:
        assert (await it.watch("/v1/live", none="")).status == 401
        stream = await it.watch("/v1/live/public", none="")
        assert (await event(stream))[0] == "history"
        it.tick()
        _, sample = await event(stream)
        assert sample["state"]["in_doubt"] == 2
        assert sample["state"]["parts"] == [{"name": "SES", "condition": "held", "text": ""}]
    async with show() as it:
        assert (await it.watch("/v1/live/public", none="")).status == 404


async def test_a_stream_ends_with_its_session() -> None:
    async with show() as it:
        async with it.session.post(f"{it.url}/v1/session", headers={"X-API-KEY": KEY}) as response:
            assert response.status == 200
        stream = await it.watch(none="")
        assert (await event(stream))[0] == "history"
        it.tick()
        assert (await event(stream))[0] == "sample"
        async with it.session.delete(f"{it.url}/v1/session", headers={"Sec-Fetch-Site": "same-origin"}) as response:
            assert response.status == 204
        it.tick()
        assert await event(stream) == ("end", None)


async def test_streams_end_with_the_sampler_so_that_nobody_keeps_the_server_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("email_consumer.web.server._STOP_TIMEOUT", 2 * PATIENCE)
    async with patience(), show() as it:
        await event(await it.watch())
    assert await it.sampler.next() is None


async def test_viewers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_consumer.dashboard.live_routes._MAX_PUBLIC_VIEWERS", 1)
    monkeypatch.setattr("email_consumer.dashboard.live_routes._MAX_VIEWERS", 2)
    async with show(public=True) as it:
        await event(await it.watch("/v1/live/public"))
        assert (await it.watch("/v1/live/public")).status == 503
        await event(await it.watch())  # the public can't crowd it out
        assert (await it.watch()).status == 503
