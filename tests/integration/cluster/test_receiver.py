"""Since when events from SES reach the sidecar, as the workers know it."""

import json
import math
import time

import pytest

from email_consumer.core.mail_queue import Mark
from tests.integration.cluster.shared_state_harness import connected, running, sidecar, worker
from tests.servers.nats import NatsServer


async def test_a_sidecar_that_was_silent_is_taken_to_have_missed_events(server: NatsServer) -> None:
    """It may have been stopped, and believe that events reached it all along."""
    async with sidecar(server) as shared, worker(server) as one:
        async with running(shared):
            shared.announce(("s3cret",), time.time() - 1_000)
            await one.until(lambda known: 0 < known.events_since < math.inf)
            assert one.events_since < time.time() - 900
        silent_from = time.time()
        await one.until(lambda known: known.events_since == math.inf)
        async with running(shared):
            await one.until(lambda known: known.events_since < math.inf)
            heard_again_at = one.events_since
            assert heard_again_at > silent_from
            for _ in range(3):  # later signs of life
                await one.next_change()
            assert one.events_since == heard_again_at


async def test_while_the_sidecar_is_away_no_event_is_waited_for_in_vain(server: NatsServer) -> None:
    async with sidecar(server) as shared, worker(server) as one:
        async with running(shared):
            shared.announce(("s3cret",), 7.0)
            await one.until(lambda known: 7 <= known.events_since < math.inf)
            await shared.stored()
        await one.until(lambda known: known.events_since == math.inf)
        async with worker(server) as late:  # what a dead sidecar said last is no sign of life
            await late.watcher.ready()
            assert late.events_since == math.inf
        async with running(shared):
            shared.announce(("s3cret",), 8.0)
            await one.until(lambda known: 8 <= known.events_since < math.inf)


@pytest.mark.parametrize("skew", [-300.0, 300.0])
async def test_since_when_events_come_is_measured_by_the_clock_of_nats(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    nats_time = time.time  # the server runs on this machine
    async with sidecar(server) as shared, running(shared), worker(server) as one:
        earliest = nats_time() - 10
        monkeypatch.setattr(time, "time", lambda: nats_time() + skew)
        shared.announce(("s3cret",), time.time() - 10)
        await one.until(lambda known: 0 < known.events_since < math.inf)
        assert earliest <= one.events_since <= nats_time() - 10


async def test_a_sidecar_of_the_version_before_is_ready_when_it_is_first_heard(server: NatsServer) -> None:
    async with sidecar(server), worker(server) as one, connected(server) as client:
        began = time.time()
        store = await client.jetstream().key_value("messages-facts")
        await store.put("secret", b"s3cret")
        await one.watcher.ready()
        await store.put("receiver", b'{"since": 17.0}')
        await one.until(lambda known: 0 < known.events_since < math.inf)
        first = one.events_since
        assert began <= first <= time.time()
        await store.put("receiver", b'{"since": 17.0}')
        cancellation = {"topic_id": "news", "sequence": 41, "cancelled_at": 1700000000.5}
        await store.put("cancelled.5d2d", json.dumps(cancellation).encode())
        await one.until(lambda known: "news" in known.cancelled)
        assert one.events_since == first
        assert one.cancelled == {"news": Mark(None, 41, 1700000000.5)}
