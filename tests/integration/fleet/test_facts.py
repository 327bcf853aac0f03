"""What every worker must know reaches every worker: on a real nats-server."""

import asyncio
import math
from contextlib import AsyncExitStack

from nats.aio.msg import Msg

from email_consumer.suppressed import shard_of
from tests.integration.fleet.knowledge import connected, running, sidecar, worker
from tests.servers.nats import NatsServer


async def test_a_worker_is_ready_once_it_knows_all_that_was_told(server: NatsServer) -> None:
    async with sidecar(server) as facts, running(facts):
        facts.cancel("news; 7", 41, 1700000000.5)
        facts.suppress({"a@example.com": "complaint", "b@example.com": "hard bounce"})
        facts.announce("s3cret", 1700000001.0)
        async with worker(server) as one:
            assert await one.watcher.ready() == "s3cret"
            assert one.cancelled == {"news; 7": (41, 1700000000.5)}
            assert one.suppressed.reason("a@example.com") == "complaint"
            assert one.suppressed.reason("b@example.com") == "hard bounce"
            assert one.suppressed.reason("c@example.com") is None


async def test_without_a_sidecar_no_worker_is_ready(server: NatsServer) -> None:
    async with worker(server) as one:
        ready = asyncio.create_task(one.watcher.ready())
        async with sidecar(server) as facts, running(facts):
            facts.suppress({"a@example.com": "complaint"})
            await facts.stored()
            assert not ready.done()  # it can't tell yet whether that was all
            facts.announce("s3cret", 1.0)
            assert await ready == "s3cret"
            assert len(one.suppressed) == 1


async def test_a_change_reaches_every_worker_within_a_second(server: NatsServer) -> None:
    async with AsyncExitStack() as stack:
        facts = await stack.enter_async_context(sidecar(server))
        await stack.enter_async_context(running(facts))
        facts.announce("s3cret", 1.0)
        workers = [await stack.enter_async_context(worker(server)) for _ in range(4)]
        await asyncio.gather(*(each.watcher.ready() for each in workers))
        async with asyncio.timeout(1):
            facts.suppress({"a@example.com": "manual"})
            await facts.stored()
            facts.cancel("news", 1, 2.0)
            await asyncio.gather(*(each.until(lambda known: "news" in known.cancelled) for each in workers))
        assert {each.suppressed.reason("a@example.com") for each in workers} == {"manual"}
        facts.release("a@example.com")
        await facts.stored()
        facts.cancel("more news", 1, 2.0)
        await asyncio.gather(*(each.until(lambda known: "more news" in known.cancelled) for each in workers))
        assert {each.suppressed.reason("a@example.com") for each in workers} == {None}


async def test_what_changes_while_the_server_is_away_is_not_missed(server: NatsServer) -> None:
    async with sidecar(server) as facts, running(facts), worker(server) as one:
        facts.suppress({"a@example.com": "complaint"})
        facts.announce("s3cret", 1.0)
        await one.watcher.ready()
        await server.kill()
        facts.suppress({"b@example.com": "hard bounce"})
        facts.release("a@example.com")
        await server.restart()
        await facts.stored()
        facts.cancel("news", 5, 6.0)
        await one.until(lambda known: "news" in known.cancelled)
        assert one.suppressed.reason("a@example.com") is None
        assert one.suppressed.reason("b@example.com") == "hard bounce"


async def test_a_sidecar_that_starts_again_stores_only_what_is_new(server: NatsServer) -> None:
    async with sidecar(server) as facts, running(facts):
        facts.suppress({"a@example.com": "complaint", "b@example.com": "complaint"})
        facts.cancel("news", 1, 2.0)
        facts.announce("s3cret", 1.0)
        await facts.stored()
    async with sidecar(server) as facts, connected(server) as client:
        written = set[str]()

        async def note(message: Msg) -> None:
            written.add(message.subject)

        await client.subscribe("$KV.messages-facts.>", cb=note)
        await client.flush()
        assert facts.secret == "s3cret"
        facts.suppress({"a@example.com": "complaint"})  # what its database holds
        facts.release("b@example.com")
        facts.cancel("news", 1, 2.0)
        facts.announce("s3cret", 9.0)
        async with running(facts), worker(server) as one:
            await one.until(lambda known: known.events_since == 9)
            assert one.suppressed.reason("b@example.com") is None
            await client.flush()
        shard = shard_of("b@example.com")
        assert written == {f"$KV.messages-facts.suppressed.{shard}", "$KV.messages-facts.receiver"}


async def test_while_the_sidecar_is_away_no_event_is_waited_for_in_vain(server: NatsServer) -> None:
    async with sidecar(server) as facts, worker(server) as one:
        async with running(facts):
            facts.announce("s3cret", 7.0)
            await one.until(lambda known: known.events_since == 7)
            await facts.stored()
        await one.until(lambda known: known.events_since == math.inf)
        async with worker(server) as late:  # what a dead sidecar said last is no sign of life
            await late.watcher.ready()
            assert late.events_since == math.inf
        async with running(facts):
            facts.announce("s3cret", 8.0)
            await one.until(lambda known: known.events_since == 8)


async def test_a_bucket_that_was_deleted_is_made_and_filled_anew(server: NatsServer) -> None:
    async with sidecar(server) as facts, running(facts), worker(server) as one, connected(server) as client:
        facts.suppress({"a@example.com": "complaint"})
        facts.cancel("news", 1, 2.0)
        facts.announce("s3cret", 1.0)
        await one.watcher.ready()
        await client.jetstream().delete_key_value("messages-facts")
        async with worker(server) as late:
            assert await late.watcher.ready() == "s3cret"
            assert late.suppressed.reason("a@example.com") == "complaint"
            assert late.cancelled == {"news": (1, 2.0)}
        assert one.suppressed.reason("a@example.com") == "complaint"


async def test_a_long_list_is_known_to_the_last_address(server: NatsServer) -> None:
    async with sidecar(server) as facts, running(facts), worker(server) as one:
        facts.suppress({f"user{number}@example.com": "hard bounce" for number in range(30_000)})
        facts.announce("s3cret", 1.0)
        await one.watcher.ready()
        assert len(one.suppressed) == facts.suppressed == 30_000
