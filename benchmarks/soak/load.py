"""The work: mail at a steady rate, some of it for later, topics that are cancelled, and somebody who has the page open."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import aiohttp
import msgpack
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from benchmarks.dashboard.open_page import poll_topics, watch_live

_TICK = 0.5
_AGAIN = 0.5
_SCHEDULED = 20
"""Every so-many-th mail is for later."""
_LATER = 20.0
_CANCEL_EVERY = 10.0
_MUCH_LATER = 600.0
"""Seconds: a topic is cancelled before any of its mail is due."""
_CANCELLED = 5
"""Mails of each topic that is cancelled."""
_SUPPRESSING = 100
"""Of so many mails one bounces hard and one is complained about, as much as SES tolerates. Their addresses stay suppressed for
good, 10 bytes each in memory: with one of ten, that alone would be more than the bar for a leak."""


def address(number: int) -> str:
    """Of a mail with this number. In ten mails two are reported: one bounces, and so does one more or it is complained about."""
    local = {0: "bounce", 1: "complaint"}.get(number % _SUPPRESSING, "ooto" if is_reported(number) else "success")
    return f"{local}+{number}@simulator.amazonses.com"


def is_reported(number: int) -> bool:
    """Whether SES reports a bounce or a complaint of that mail; most bounces are soft."""
    return number % 10 < 2


@dataclass
class Load:
    """`uuids`: mails that have to be sent; `cancelled`: those that must not."""

    publisher: JetStreamContext
    site: aiohttp.ClientSession
    rate: float
    uuids: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)

    async def publish(self, seconds: float) -> None:
        """So long; what an outage delays is made up for."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (elapsed := loop.time() - began) < seconds:
            numbers = range(len(self.uuids), round(elapsed * self.rate))
            self.uuids += [f"mail-{number:07}" for number in numbers]
            topic = f"minute-{elapsed // 60:04.0f}"
            later = min(_LATER, seconds / 5)
            await asyncio.gather(
                *(
                    self._publish(self.uuids[number], number, topic, 0 if number % _SCHEDULED else later)
                    for number in numbers
                )
            )
            await asyncio.sleep(_TICK)

    async def cancel_topics(self) -> None:
        """Again and again, until cancelled itself."""
        for number in count():
            topic = f"cancelled-{number}"
            uuids = [f"{topic}-{each}" for each in range(_CANCELLED)]
            await asyncio.gather(*(self._publish(uuid, 9, topic, _MUCH_LATER) for uuid in uuids))
            await _until_it_works(partial(self._cancel, topic))
            self.cancelled |= set(uuids)
            await asyncio.sleep(_CANCEL_EVERY)

    async def look(self) -> None:
        """As the page does, which connects again after each restart; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work in (watch_live, poll_topics):
                tasks.create_task(self._look(work))

    async def _look(self, work: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
        while True:
            await _until_it_works(lambda: work(self.site))
            await asyncio.sleep(_AGAIN)

    async def _publish(self, uuid: str, number: int, topic: str, later: float) -> None:
        mail = {"uuid": uuid, "email": address(number), "subject": uuid, "body": "<p>Hi</p>" * 20, "topic_id": topic}
        if later:
            mail["scheduled_at"] = (datetime.now(UTC) + timedelta(seconds=later)).isoformat()
        payload = msgpack.packb(mail)
        await _until_it_works(lambda: self.publisher.publish("messages.email", payload))

    async def _cancel(self, topic: str) -> None:
        async with self.site.delete(f"/v1/topics/{topic}", raise_for_status=True) as answer:
            assert json.loads(await answer.text())["sent"] == 0


async def _until_it_works(work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except (NatsError, aiohttp.ClientError, TimeoutError):  # it was killed
            await asyncio.sleep(_AGAIN)
        else:
            return
