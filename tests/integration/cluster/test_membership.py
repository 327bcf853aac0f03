"""One rate for all workers, on a real nats-server."""

import asyncio

import nats

from email_consumer.runtime.clock import elapsed
from tests.integration.cluster.membership_harness import MembershipHarness
from tests.servers.nats import NatsServer

_EXACT = 1 + 1e-9


async def test_a_worker_alone_has_it_all(harness: MembershipHarness) -> None:
    worker = await harness.start()
    assert worker.held == "waiting for the other workers to make room"
    await worker.until(1)
    assert worker.share == 1


async def test_workers_that_join_and_leave_share_at_once(harness: MembershipHarness) -> None:
    for number in range(1, 5):
        await harness.start()
        await harness.until(number)
    for worker in harness.all:
        worker.membership._roster._ttl = 3600  # so nobody is forgotten for being silent
    for number in (3, 2):
        await harness.all[number].leave()
        await harness.until(number)
    await harness.start()
    await harness.until(3)
    assert harness.most <= _EXACT


async def test_a_crowd_shares_too(harness: MembershipHarness) -> None:
    await asyncio.gather(*(harness.start() for _ in range(12)))
    await harness.until(12)
    assert 0.999 < sum(worker.share for worker in harness.all) <= harness.most <= _EXACT


async def test_the_share_of_a_dead_worker_is_taken_over_after_the_ttl(harness: MembershipHarness) -> None:
    first, second = await harness.start(), await harness.start()
    await harness.until(2)
    valid_until = second.membership.valid_until
    await second.die()
    await first.until(1)
    assert elapsed() > valid_until
    assert harness.most <= _EXACT


async def test_a_joiner_waits_for_a_dead_worker_to_be_forgotten(harness: MembershipHarness) -> None:
    first = await harness.start()
    await first.until(1)
    await first.die()
    second = await harness.start()
    await second.until(1)
    assert elapsed() > first.membership.valid_until
    assert harness.most <= _EXACT


async def test_without_the_server_all_stop_and_go_on_when_it_is_back(
    harness: MembershipHarness, server: NatsServer
) -> None:
    workers = [await harness.start() for _ in range(3)]
    await harness.until(3)
    await server.kill()
    await asyncio.gather(*(worker.until_held() for worker in workers))
    assert {worker.held for worker in workers} == {
        "out of touch with the other workers; a worker that can't see them must not send"
    }
    await server.restart()
    await harness.until(3)
    assert harness.most <= _EXACT


async def test_a_deleted_bucket_keeps_nobody_apart(harness: MembershipHarness, server: NatsServer) -> None:
    await harness.start()
    await harness.start()
    await harness.until(2)
    client = await nats.connect(server.url)
    await client.jetstream().delete_key_value("messages-workers")
    await client.close()
    await harness.start()
    await harness.until(3)
    assert harness.most <= _EXACT


async def test_junk_in_the_bucket_is_nobody(harness: MembershipHarness, server: NatsServer) -> None:
    await harness.start()
    client = await nats.connect(server.url)
    store = await client.jetstream().key_value("messages-workers")
    for number, value in enumerate(
        (
            *(b"\xff", b"[]", b"null", b'{"sent": "x", "knows": []}', b'{"sent": 1, "knows": [[]]}', b"[" * 100_000),
            *(
                b'{"sent": NaN, "knows": []}',
                b'{"sent": 1e999, "knows": []}',
                b'{"sent": 1, "knows": 7}',
                b"x" * 900_000,
            ),
        )
    ):
        await store.put(f"junk{number}", value)
    other = await harness.start()
    await harness.until(2)
    await store.put(other.membership._roster.name, b"junk")  # as if it had never been written
    await harness.start()
    await harness.until(3)
    await client.close()
