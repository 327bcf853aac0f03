"""One bad list among good campaigns: it alone is held, in time, and stays held through a kill."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from ses_sandbox.testing import SandboxTask
from tests.acceptance.feedback_loop import sandbox_with_events, variables_for
from tests.acceptance.publisher import JetStreamPublisher, as_map, emptied
from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.waiting import until

_RATE = 200
_DELAY = 2
"""Seconds after which SES's events are posted."""
_BAD, _GOOD = 1_400, 300
"""Mails of the bad list, a fifth of which bounces; of each of two good ones, of which one in a hundred does."""
_EARLY = _RATE * _DELAY + 400
"""Mails of the bad list of which it has to be known from their events that it is bad."""


@dataclass
class Harness:
    daemon: Daemon
    sandbox: SandboxTask
    publisher: JetStreamPublisher
    session: aiohttp.ClientSession

    async def sent(self) -> Counter[str]:
        """Mails that SES accepted, by topic; each once."""
        uuids = (await self.sandbox.get("/messages/uuids"))["uuids"]
        assert {times for _, times in uuids} <= {1}
        return Counter(uuid.partition("-")[0] for uuid, _ in uuids)

    async def holds(self) -> list[dict[str, Any]]:
        async with self.session.get("/v1/holds", raise_for_status=True) as response:
            return list((await response.json())["holds"])

    async def until_sent(self, topic: str, mails: int) -> None:
        async def is_sent() -> bool:
            return (await self.sent())[topic] >= mails

        await until(is_sent)


@asynccontextmanager
async def running(directory: Path, **variables: object) -> AsyncIterator[Harness]:
    [port] = free_ports(1)
    sandbox = sandbox_with_events(directory, port)
    async with NatsServer(directory / "nats") as nats, sandbox:
        environment = await variables_for(directory, nats, sandbox) | {
            "API_KEY": "acceptance",
            "SERVER_PORT": str(port),
            "SES_RATE_PER_SEC": str(_RATE),
            "IN_DOUBT_GRACE": "5",
            **{name: str(value) for name, value in variables.items()},
        }
        await sandbox.put("/sandbox/events", {"delay": _DELAY, "types": ["Delivery", "Bounce"]})
        publisher = await JetStreamPublisher.connect(nats.url)
        async with (
            Daemon(directory / "daemon", environment) as daemon,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={"X-API-KEY": "acceptance"}) as session,
        ):
            yield Harness(daemon, sandbox, publisher, session)
        await publisher.close()


def campaigns(first: int = 0, end: int = _BAD) -> Iterator[bytes]:
    """The bad list, or a part of it, and the good ones, mixed."""
    for number in range(first, end):
        yield as_map(f"bad-{number}", topic_id="bad", email=_address(number, every=5))
        if number < _GOOD:
            yield from (
                as_map(f"{topic}-{number}", topic_id=topic, email=_address(number, every=100))
                for topic in ("good1", "good2")
            )


def _address(number: int, every: int) -> str:
    kind = "success" if number % every else "bounce"
    return f"{kind}+{number}@simulator.amazonses.com"


async def test_without_a_canary_it_is_held_within_the_delay_of_its_events(tmp_path: Path) -> None:
    async with running(tmp_path) as harness:
        await harness.publisher.publish(campaigns(end=_EARLY))  # a busy machine posts events late
        placed = await harness.daemon.wait_for("hold.placed")
        assert (placed["key"], placed["by"]) == ("topic:bad", "breaker")
        await harness.daemon.kill()
        await harness.daemon.start()
        await harness.publisher.publish(campaigns(_EARLY))
        for topic in ("good1", "good2"):
            await harness.until_sent(topic, _GOOD)
        await emptied(harness.publisher)
        sent = await harness.sent()
        assert sent["bad"] <= _EARLY
        [hold] = await harness.holds()
        assert (hold["key"], hold["holder"], hold["mails"]) == ("topic:bad", "breaker", _BAD - sent["bad"])


async def test_with_a_canary_few_of_it_are_sent_and_the_good_ones_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, TOPIC_CANARY=200, CANARY_WAIT=300) as harness:
        await harness.publisher.publish(campaigns())
        for topic in ("good1", "good2"):
            await harness.until_sent(topic, _GOOD)
        await emptied(harness.publisher)
        sent = await harness.sent()
        assert 200 <= sent["bad"] <= 400
        held = {hold["key"] for hold in await harness.holds() if hold["holder"] == "breaker"}
        assert held == {"topic:bad"}
