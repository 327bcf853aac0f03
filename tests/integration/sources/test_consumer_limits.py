"""Whatever a consumer's configuration or the server allows is kept to; what stands in the way is reported."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.errors import APIError

from email_consumer.core.delivery import Delivery
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.client import SteadyClient
from email_consumer.sources.jetstream import receiver as jetstream
from tests.integration.sources.harness import ReceiverHarness, publish, pulling
from tests.servers.nats import NatsServer
from tests.waiting import until

S = 1_000_000_000
MB = 1024 * 1024


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "_REFRESH_EVERY", 0.1)
    monkeypatch.setattr(jetstream, "_BACKOFF", 0.05)
    monkeypatch.setattr(jetstream, "HEARTBEAT", 0.2)  # how often the loop wakes; what is asked of the server stays


async def make(client: Client, *, update: bool = False, **config: Any) -> None:
    """The consumer as an operator has made it, or changes it."""
    fields = {"durable_name": "c", "ack_policy": "explicit", "filter_subject": "messages.email"}
    question: dict[str, Any] = {"stream_name": "messages", "config": {**fields, "max_ack_pending": 5000, **config}}
    await ask(client, "CONSUMER.DURABLE.CREATE.messages.c", question | {"action": "update" if update else "create"})


async def make_both(client: Client, **config: Any) -> None:
    await ask(client, "STREAM.CREATE.messages", {"name": "messages", "subjects": ["messages.*"]})
    await make(client, **config)


@pytest.mark.parametrize(
    "config",
    [
        {"max_batch": 1},
        {"max_batch": 3},
        {"max_expires": 1 * S},
        {"max_expires": S // 2},
        {"max_bytes": 4096},
        {"max_waiting": 1},
        {"max_batch": 2, "max_expires": 1 * S, "max_bytes": 2048, "max_waiting": 2},
        {"priority_groups": ["jobs"], "priority_policy": "overflow"},
        {"priority_groups": ["jobs"], "priority_policy": "prioritized"},
        {"priority_groups": ["jobs"], "priority_policy": "pinned_client", "priority_timeout": 5 * S},
    ],
    ids=str,
)
async def test_all_mail_comes_within_the_limits(client: Client, config: dict[str, Any]) -> None:
    await make_both(client, **config)
    harness = ReceiverHarness(20)
    async with pulling(client, harness) as intake:
        for total in (30, 60):
            await publish(client, 30)
            while len(harness.seen) < total:
                await harness.wait_until(lambda: len(harness.held) > 0)
                await harness.ack_all()
        await until(lambda: not intake.held)
    assert sorted(harness.seen) == list(range(1, 61))
    assert harness.most <= 20


async def test_the_servers_own_limit_is_kept_to(tmp_path: Path) -> None:
    async with connected(tmp_path, "") as (client, server):
        await make_both(client)
        await server.stop()
        server._config = "jetstream { limits { max_request_batch: 3 } }"
        await server.restart()
        harness = ReceiverHarness(20)
        async with pulling(client, harness):
            await publish(client, 20)
            await harness.wait_until(lambda: len(harness.seen) == 20)


@asynccontextmanager
async def connected(directory: Path, config: str) -> AsyncIterator[tuple[Client, NatsServer]]:
    async with NatsServer(directory, config) as server:
        client = SteadyClient()
        await client.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)  # type: ignore[arg-type]
        try:
            yield client, server
        finally:
            await client.close()


async def test_a_paused_consumer_is_reported_until_it_resumes(client: Client) -> None:
    await make_both(client)
    harness = ReceiverHarness(5)
    async with pulling(client, harness) as intake:
        await ask(client, "CONSUMER.PAUSE.messages.c", {"pause_until": "2100-01-01T00:00:00Z"})
        await publish(client, 1)
        await until(lambda: intake.held == "the consumer 'c' is paused until 2100-01-01T00:00:00Z")
        await ask(client, "CONSUMER.PAUSE.messages.c", {})
        await harness.wait_until(lambda: len(harness.seen) == 1)
        await until(lambda: not intake.held)


async def test_a_mail_larger_than_any_request_is_reported_and_comes_once_one_may_bring_it(client: Client) -> None:
    await make_both(client, max_bytes=1000)
    harness = ReceiverHarness(5)
    async with pulling(client, harness) as intake:
        await client.jetstream().publish("messages.email", b"x" * 5000)
        await until(lambda: "max_bytes" in intake.held)
        await make(client, update=True, max_bytes=10_000)
        await harness.wait_until(lambda: len(harness.seen) == 1)
        await until(lambda: not intake.held)


async def test_that_nothing_comes_before_something_is_settled_is_reported(client: Client) -> None:
    harness = ReceiverHarness(5)
    async with pulling(client, harness) as intake:
        await make(client, update=True, max_ack_pending=2)
        await publish(client, 3)
        await harness.wait_until(lambda: len(harness.seen) == 2)
        for delivery in harness.held:
            await delivery.nak(3600)
            harness.slots.release(len(delivery.payload))
        harness.held.clear()
        await until(lambda: "max_ack_pending" in intake.held)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda client: ask(client, "CONSUMER.DELETE.messages.c"), ""),
        (lambda client: replaced(client, deliver_subject="elsewhere"), "push consumer"),
        (lambda client: replaced(client, filter_subject="messages.other"), "SUBJECT"),
        (lambda client: replaced(client, headers_only=True), "headers only"),
    ],
    ids=["deleted", "a push consumer", "of another subject", "headers only"],
)
async def test_a_consumer_that_was_replaced_is_recreated_or_reported(
    client: Client, change: Callable[[Client], Awaitable[object]], reason: str
) -> None:
    harness = ReceiverHarness(5)
    async with pulling(client, harness) as intake:
        await publish(client, 1)
        await harness.wait_until(lambda: len(harness.held) == 1)
        await harness.ack_all()
        await client.flush()
        await change(client)
        if reason:
            await until(lambda: reason in intake.held)
            await ask(client, "CONSUMER.DELETE.messages.c")
        await publish(client, 1)
        await harness.wait_until(lambda: 2 in harness.seen)
        await until(lambda: not intake.held)


async def test_mail_is_not_taken_without_its_payload(client: Client) -> None:
    """An operator who edits the consumer in place ends no request: what comes next has headers only."""
    harness = ReceiverHarness(5)
    async with pulling(client, harness) as intake:
        await publish(client, 1)
        await harness.wait_until(lambda: len(harness.held) == 1)
        await harness.ack_all()
        await make(client, update=True, headers_only=True)
        await publish(client, 1)
        await until(lambda: "headers only" in intake.held)
        await make(client, update=True, headers_only=False)
        await harness.wait_until(lambda: len(harness.held) == 1)
        assert (harness.seen, bool(harness.held[0].payload)) == ([1, 2], True)
        await until(lambda: not intake.held)


async def test_a_publishers_own_size_header_holds_nothing_up(client: Client) -> None:
    harness = ReceiverHarness(5)
    async with pulling(client, harness) as intake:
        await client.jetstream().publish("messages.email", b"", headers={"Nats-Msg-Size": "5"})
        await publish(client, 1)
        await harness.wait_until(lambda: sorted(harness.seen) == [1, 2])
        assert not intake.held


async def replaced(client: Client, **config: Any) -> None:
    while True:
        await ask(client, "CONSUMER.DELETE.messages.c")
        try:
            await make(client, **config)
        except APIError:  # the intake was faster
            continue
        return


async def test_large_mail_does_not_make_us_a_slow_consumer(tmp_path: Path) -> None:
    async with connected(tmp_path, "max_pending: 32MB") as (client, server), connected_too(server) as other:
        await make_both(client)
        for _ in range(60):
            await other.jetstream().publish("messages.email", bytes(900_000))
        harness = Busy(100, client)
        async with pulling(client, harness) as intake:
            while len(harness.seen) < 60:
                await harness.wait_until(lambda: len(harness.held) > 0)
                await harness.ack_all()
            assert not intake.held
        assert not [line for line in server.log if "Slow Consumer" in line]


class Busy(ReceiverHarness):
    """Reads nothing for a while after the first mail, as when the machine has other things to do."""

    def __init__(self, capacity: int, client: Client) -> None:
        super().__init__(capacity)
        self._transport = client._transport._io_writer.transport  # type: ignore[union-attr]

    def start(self, delivery: Delivery) -> None:
        if not self.seen:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(0.5, self._transport.resume_reading)
        super().start(delivery)


@asynccontextmanager
async def connected_too(server: NatsServer) -> AsyncIterator[Client]:
    client = SteadyClient()
    await client.connect(server.url)
    yield client
    await client.close()
