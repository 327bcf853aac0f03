"""Transactional mails published one by one, and when their requests reach the endpoint."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from time import monotonic
from typing import Protocol

from benchmarks.endpoint.process import Endpoint
from benchmarks.mails import TRANSACTIONAL, Publisher

_LOOK = 0.25
_PATIENCE = 1_200
"""Seconds for the last mail: a program without lanes sends all of the backlog first."""


class Running(Protocol):
    """A harness with bulk mail in the queue."""

    @property
    def endpoint(self) -> Endpoint: ...

    @property
    def publisher(self) -> Publisher: ...

    async def wait_accepted(self, mails: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """What happened from the first transactional mail on."""

    waits: Sequence[float]
    """Seconds from publishing to the request's arrival, of each transactional mail."""
    per_second: float
    """Mails accepted, of both lanes, while transactional mail was published."""
    bulk_per_second: float

    def percentile(self, percent: int) -> float:
        """Seconds."""
        return quantiles(self.waits, n=100, method="inclusive")[percent - 1]


async def publish_one_by_one(
    running: Running, *, mails: int, seconds: float, settle: float, subject: str = TRANSACTIONAL
) -> Measured:
    """`mails` at random moments within `seconds`, `settle` seconds after the first mail was sent."""
    await running.wait_accepted(1)
    await asyncio.sleep(settle)
    chance, began = random.Random(2), monotonic()  # the same moments in each run
    published = []
    for moment in sorted(chance.uniform(0, seconds) for _ in range(mails)):
        await asyncio.sleep(began + moment - monotonic())
        published.append(monotonic())
        await running.publisher.publish_marked([len(published) - 1], subject)
    await asyncio.sleep(began + seconds - monotonic())
    ended = monotonic()
    marked = await _wait_marked(running.endpoint, mails)
    waits = [marked[number] - at for number, at in enumerate(published)]
    return await _measured(running.endpoint, marked, waits, began, ended)


async def publish_at_once(running: Running, *, mails: int, seconds: float, settle: float) -> Measured:
    """More transactional mails than the rate allows in `seconds`: all of them wait, and bulk mail gets its floor."""
    await running.wait_accepted(1)
    await running.publisher.publish_marked(range(mails))
    await asyncio.sleep(settle)
    began = monotonic()
    await asyncio.sleep(seconds)
    return await _measured(running.endpoint, await running.endpoint.marked(), [], began, monotonic())


async def _wait_marked(endpoint: Endpoint, mails: int) -> dict[int, float]:
    async with asyncio.timeout(_PATIENCE):
        while len(marked := await endpoint.marked()) < mails:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(_LOOK)
    return marked


async def _measured(
    endpoint: Endpoint, marked: dict[int, float], waits: Sequence[float], began: float, ended: float
) -> Measured:
    accepted = (await endpoint.arrivals()).accepted
    both, transactional = (
        sum(began <= at < ended for at in moments) / (ended - began) for moments in (accepted, marked.values())
    )
    return Measured(waits, both, both - transactional)
