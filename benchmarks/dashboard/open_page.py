"""The daemon's CPU with and without viewers, who ask for exactly what the page asks for."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from statistics import median

import aiohttp
import msgpack
import nats

from benchmarks.endpoint.process import Endpoint
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, environment
from benchmarks.usage import cpu_seconds
from tests.servers.nats import NatsServer

KEY = "benchmark"
_TOPICS = 40
_AHEAD = 4
"""Seconds of mail that wait at the most."""
_REFRESH = 2.0
_TICK = 0.1
_WARM_UP = 5.0
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Share:
    """CPU seconds a second, medians over all turns."""

    closed: float
    open: float
    more: float
    """What the page adds, as a share: each turn with it is held against those right before and after without."""


async def measure_open_page(rate: int, turns: int, seconds: float, viewers: int) -> Share:
    """In turns, so that the machine's busy moments hit both alike."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with NatsServer(directory / "nats") as server, Endpoint(directory, latency=0.03) as endpoint:
            variables = environment(server.url, endpoint, "page") | {
                "SES_RATE_PER_SEC": str(rate),
                "API_KEY": KEY,
            }
            async with Program(directory / "daemon", OURS.command, variables) as program, _mail(server.url, rate):
                await asyncio.sleep(_WARM_UP)
                url = f"http://127.0.0.1:{await listening_port(program)}"
                closed, opened = [await _usage(program, seconds)], []
                for _ in range(turns):
                    async with _viewers(url, viewers):
                        await asyncio.sleep(_PAUSE)
                        opened.append(await _usage(program, seconds))
                    closed.append(await _usage(program, seconds))
                around = [(before + after) / 2 for before, after in pairwise(closed)]
                more = median(usage / without for usage, without in zip(opened, around, strict=True)) - 1
                return Share(median(closed), median(opened), more)


async def listening_port(program: Program) -> int:
    """Of its HTTP server, as soon as it listens."""
    while True:
        for line in program.log.read_text().splitlines():
            if '"sidecar.listening"' in line:
                return int(line.partition('"port":')[2].strip(' }"').split(",")[0].split("}")[0])
        program.check()
        await asyncio.sleep(_TICK)


async def _usage(program: Program, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    began, before = loop.time(), cpu_seconds(program.pid)
    await asyncio.sleep(seconds)
    program.check()
    return (cpu_seconds(program.pid) - before) / (loop.time() - began)


@asynccontextmanager
async def _mail(url: str, rate: int) -> AsyncIterator[None]:
    """A stream that never runs dry nor grows for long."""
    client = await nats.connect(url)
    jetstream = client.jetstream(publish_async_max_pending=1000)

    async def publish() -> None:
        for number in count():
            if number % rate == 0:
                while (await jetstream.stream_info("messages")).state.messages > _AHEAD * rate:  # noqa: ASYNC110 - only asking tells
                    await asyncio.sleep(_TICK)
            mail = {
                "uuid": f"u-{number}",
                "email": f"to-{number}@example.com",
                "subject": "s",
                "body": "<p>b</p>" * 100,
            }
            payload = msgpack.packb(mail | {"topic_id": f"topic-{number % _TOPICS}"})
            await jetstream.publish_async("messages.email", payload)

    while not client.is_closed:
        with suppress(nats.errors.Error):  # the daemon makes the stream
            await jetstream.stream_info("messages")
            break
        await asyncio.sleep(_TICK)
    publishing = asyncio.create_task(publish())
    yield
    publishing.cancel()
    await asyncio.wait([publishing])
    await client.close()


@asynccontextmanager
async def _viewers(url: str, number: int) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(url, headers={"X-API-KEY": KEY}) as session:
        looking = [
            asyncio.create_task(work(session)) for _ in range(number) for work in (watch_live, poll_latest, poll_topics)
        ]
        yield
        for task in looking:
            task.cancel()
        done, _ = await asyncio.wait(looking)
        for task in done:
            if not task.cancelled():
                task.result()


async def watch_live(session: aiohttp.ClientSession) -> None:
    async with session.get("/v1/live", timeout=aiohttp.ClientTimeout(total=None), raise_for_status=True) as response:
        async for _ in response.content:
            pass


async def poll_latest(session: aiohttp.ClientSession) -> None:
    await _again_and_again(session, "/v1/messages?limit=8")


async def poll_topics(session: aiohttp.ClientSession) -> None:
    await _again_and_again(session, "/v1/topics?limit=25")


async def _again_and_again(session: aiohttp.ClientSession, path: str) -> None:
    while True:
        async with session.get(path, raise_for_status=True) as response:
            await response.read()
        await asyncio.sleep(_REFRESH)
