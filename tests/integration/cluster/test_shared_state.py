"""What every worker must know reaches every worker: on a real nats-server."""

import asyncio
import json
import math
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial

import msgpack
import pytest
from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue

from email_consumer.core.mail_queue import Mark
from email_consumer.suppression.compact_set import SuppressedAddresses
from email_consumer.suppression.suppression import stop_key
from tests.integration.cluster.shared_state_harness import connected, running, sidecar, worker
from tests.servers.nats import NatsServer
from tests.waiting import patience, until


async def test_a_worker_is_ready_once_it_knows_all_that_was_published(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared):
        shared.cancel("news; 7", Mark("s", 41, 1700000000.5))
        shared.suppress({"a@example.com": "complaint", "b@example.com": "hard bounce"})
        shared.announce(("s3cret",), 1700000001.0)
        async with worker(server) as one:
            assert (await one.watcher.ready()).kept == ("s3cret",)
            assert one.cancelled == {"news; 7": Mark("s", 41, 1700000000.5)}
            assert one.suppressed.reason("a@example.com") == "complaint"
            assert one.suppressed.reason("b@example.com") == "hard bounce"
            assert one.suppressed.reason("c@example.com") is None


async def test_an_address_and_its_groups_come_and_go_independently(server: NatsServer) -> None:
    address, group = "a@example.com", stop_key("a@example.com", "news")
    async with sidecar(server) as shared, running(shared), worker(server) as one:
        shared.suppress({address: "hard bounce", group: "unsubscribed"})
        shared.announce(("s3cret",), 1.0)
        await one.watcher.ready()
        shared.suppress({address: "unsubscribed"})
        shared.release(group)
        await shared.stored()
        shared.cancel("news", Mark("s", 1, 2.0))
        await one.until(lambda known: "news" in known.cancelled)
        assert (one.suppressed.reason(address), one.suppressed.reason(group)) == ("unsubscribed", None)


async def test_without_a_sidecar_no_worker_is_ready(server: NatsServer) -> None:
    async with worker(server) as one:
        ready = asyncio.create_task(one.watcher.ready())
        async with sidecar(server) as shared, running(shared):
            shared.suppress({"a@example.com": "complaint"})
            await shared.stored()
            assert not ready.done()  # it can't tell yet whether that was all
            shared.announce(("s3cret",), 1.0)
            assert (await ready).kept == ("s3cret",)
            assert len(one.suppressed) == 1


async def test_a_change_reaches_every_worker_within_a_second(server: NatsServer) -> None:
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(sidecar(server))
        await stack.enter_async_context(running(shared))
        shared.announce(("s3cret",), 1.0)
        workers = [await stack.enter_async_context(worker(server)) for _ in range(4)]
        await asyncio.gather(*(each.watcher.ready() for each in workers))
        async with patience():
            shared.suppress({"a@example.com": "manual"})
            await shared.stored()
            shared.cancel("news", Mark("s", 1, 2.0))
            await asyncio.gather(*(each.until(lambda known: "news" in known.cancelled) for each in workers))
        assert {each.suppressed.reason("a@example.com") for each in workers} == {"manual"}
        shared.release("a@example.com")
        await shared.stored()
        shared.cancel("more news", Mark("s", 1, 2.0))
        await asyncio.gather(*(each.until(lambda known: "more news" in known.cancelled) for each in workers))
        assert {each.suppressed.reason("a@example.com") for each in workers} == {None}


async def test_what_a_killed_server_forgot_is_stored_again(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared), patience():
        shared.announce(("s3cret",), 1.0)
        await shared.stored()
        async with server.forgetting("jetstream/$G/streams/KV_messages-facts"):
            shared.suppress({"a@example.com": "complaint"})
            shared.cancel("news", Mark("s", 5, 6.0))
            await shared.stored()
        async with worker(server) as one:
            await one.until(lambda known: "news" in known.cancelled and bool(known.suppressed.reason("a@example.com")))


async def test_what_changes_while_the_server_is_away_is_not_missed(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared), worker(server) as one:
        shared.suppress({"a@example.com": "complaint"})
        shared.announce(("s3cret",), 1.0)
        await one.watcher.ready()
        await server.kill()
        shared.suppress({"b@example.com": "hard bounce"})
        shared.release("a@example.com")
        await server.restart()
        await shared.stored()
        shared.cancel("news", Mark("s", 5, 6.0))
        await one.until(lambda known: "news" in known.cancelled)
        assert one.suppressed.reason("a@example.com") is None
        assert one.suppressed.reason("b@example.com") == "hard bounce"


async def test_a_sidecar_that_starts_again_stores_only_what_is_new(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared):
        shared.suppress({"a@example.com": "complaint", "b@example.com": "complaint"})
        shared.cancel("news", Mark("s", 1, 2.0))
        shared.announce(("s3cret",), 1.0)
        await shared.stored()
    async with sidecar(server) as shared, connected(server) as client:
        before = await _revisions(client)
        assert shared.secrets == ("s3cret",)
        shared.suppress({"a@example.com": "complaint"})  # what its database holds
        shared.release("b@example.com")
        shared.cancel("news", Mark("s", 1, 2.0))
        shared.announce(("s3cret",), 9.0)
        async with running(shared), worker(server) as one:
            await one.until(lambda known: 9 <= known.events_since < math.inf)
            assert one.suppressed.reason("b@example.com") is None
            await shared.stored()
            after = await _revisions(client)
        shard = SuppressedAddresses().add("b@example.com", "manual")
        changed = {key for key, revision in after.items() if revision != before.get(key)}
        assert changed == {f"suppressed.{shard}", "receiver"}


async def test_a_new_secret_reaches_workers_that_run(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared), worker(server) as one:
        shared.announce(("first",), 1.0)
        secrets = await one.watcher.ready()
        shared.sign_links(("second", "first"))
        await shared.stored()
        shared.cancel("news", Mark("s", 1, 2.0))
        await one.until(lambda known: "news" in known.cancelled)
        assert secrets.kept == ("second", "first")
    async with sidecar(server) as shared:
        assert shared.secrets == ("second", "first")


async def test_a_secret_that_is_none_is_no_end_of_a_sidecars_start(server: NatsServer) -> None:
    async with sidecar(server), connected(server) as client:
        store = await client.jetstream().key_value("messages-facts")
        await store.put("secret", b"\xff")
        async with sidecar(server) as shared, running(shared), worker(server) as one:
            assert shared.secrets == ()
            shared.announce(("s3cret",), 1.0)
            assert (await one.watcher.ready()).kept == ("s3cret",)


async def test_workers_of_the_version_before_can_read_a_cancellation(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared), connected(server) as client:
        shared.cancel("news", Mark("s", 41, 1700000000.5))
        await shared.stored()
        store = await client.jetstream().key_value("messages-facts")
        (key,) = await store.keys()
        entry = await store.get(key)
        assert json.loads(entry.value or b"") == {"topic_id": "news", "sequence": 41, "cancelled_at": 1700000000.5}


JUNK: dict[str, bytes] = {
    "cancelled.1": b"\xff not JSON",
    "cancelled.2": b'{"topic_id": "x"}',
    "cancelled.3": b"[1, 2]",
    "cancelled.4": b"null",
    "cancelled.5": b'{"topic_id": "x", "sequence": 1e999, "cancelled_at": 1}',
    "cancelled.6": b'{"topic_id": "x", "sequence": 1, "cancelled_at": NaN}',
    "cancelled.7": b'{"topic_id": "\\ud800", "sequence": 1, "cancelled_at": 1}',
    "cancelled.8": b"[" * 100_000,
    "cancelled.9": b"x" * 900_000,
    "suppressed.07": msgpack.packb([["complaint"], bytes(8), b"\x00"]),
    "suppressed.10": b"\x91" * 100_000,
    "suppressed.7": b"not MessagePack",
    "suppressed.8": msgpack.packb([["complaint"], b"1234567", b"\x00"]),
    "suppressed.9": msgpack.packb([["complaint"], b"12345678", b"\x07"]),
    "suppressed.99999": msgpack.packb([[], b"", b""]),
    "suppressed.-1": msgpack.packb([[], b"", b""]),
    "suppressed.x": msgpack.packb([[], b"", b""]),
    "receiver": b'{"for": "soon"}',
    "secret": b"\xff",
    "what.is.this": b"?",
}


async def test_junk_in_the_bucket_is_skipped_and_all_else_is_known(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared), worker(server) as one, connected(server) as client:
        store = await client.jetstream().key_value("messages-facts")
        for key, value in JUNK.items():
            await store.put(key, value)
        shared.suppress({"a@example.com": "complaint"})
        shared.cancel("news", Mark("s", 1, 2.0))
        shared.announce(("s3cret",), 1.0)
        assert (await one.watcher.ready()).kept == ("s3cret",)
        for key, value in JUNK.items():
            if key != "secret":
                await store.put(key, value)
        shared.cancel("more news", Mark("s", 1, 2.0))
        await one.until(lambda known: "more news" in known.cancelled)
        assert set(one.cancelled) == {"news", "more news"}
        assert one.suppressed.reason("a@example.com") == "complaint"
    async with sidecar(server) as shared:
        assert (shared.secrets, shared.suppressed) == (("s3cret",), 1)


@pytest.mark.parametrize("value", [b'{"for": NaN}', b'{"for": 1e999}', b"[" * 100_000, b"null", b"7", b"\xff"])
async def test_a_sign_of_life_that_is_none_changes_nothing(server: NatsServer, value: bytes) -> None:
    async with sidecar(server) as shared, running(shared), worker(server) as one, connected(server) as client:
        shared.announce(("s3cret",), time.time() - 5)
        await one.watcher.ready()
        await one.until(lambda known: known.events_since < math.inf)
        before = one.events_since
        store = await client.jetstream().key_value("messages-facts")
        await store.put("receiver", value)
        shared.cancel("news", Mark("s", 1, 2.0))
        await one.until(lambda known: "news" in known.cancelled)
        assert abs(one.events_since - before) < 60


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_takes_the_place_of_a_fact_is_replaced_by_it_again(server: NatsServer, deleted: bool) -> None:
    async with sidecar(server) as shared, running(shared), connected(server) as client:
        shared.suppress({"a@example.com": "complaint"})
        shared.cancel("news", Mark("s", 1, 2.0))
        shared.announce(("s3cret",), 1.0)
        await shared.stored()
        store = await client.jetstream().key_value("messages-facts")
        ours = [key for key in await store.keys() if key != "receiver"]
        assert len(ours) == 3
        before = {key: (await store.get(key)).value for key in ours}
        for key in ours:
            await (store.delete(key) if deleted else store.put(key, b"\xff junk"))
        await until(partial(_holds, store, before))
        async with worker(server) as late:
            assert (await late.watcher.ready()).kept == ("s3cret",)
            assert late.suppressed.reason("a@example.com") == "complaint"
            assert set(late.cancelled) == {"news"}


async def _revisions(client: Client) -> dict[str, int | None]:
    bucket = await client.jetstream().key_value("messages-facts")
    return {key: (await bucket.get(key)).revision for key in await bucket.keys()}


async def _holds(store: KeyValue, values: Mapping[str, bytes | None]) -> bool:
    try:
        return all([(await store.get(key)).value == value for key, value in values.items()])
    except KeyNotFoundError:
        return False


async def test_a_bucket_that_was_deleted_is_recreated_and_filled(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared), worker(server) as one, connected(server) as client:
        shared.suppress({"a@example.com": "complaint"})
        shared.cancel("news", Mark("s", 1, 2.0))
        shared.announce(("s3cret",), 1.0)
        await one.watcher.ready()
        await client.jetstream().delete_key_value("messages-facts")
        async with worker(server) as late:
            assert (await late.watcher.ready()).kept == ("s3cret",)
            assert late.suppressed.reason("a@example.com") == "complaint"
            assert late.cancelled == {"news": Mark("s", 1, 2.0)}
        assert one.suppressed.reason("a@example.com") == "complaint"


async def test_a_long_list_is_known_to_the_last_address(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared), worker(server) as one:
        shared.suppress({f"user{number}@example.com": "hard bounce" for number in range(30_000)})
        shared.announce(("s3cret",), 1.0)
        await one.watcher.ready()
        assert len(one.suppressed) == shared.suppressed == 30_000


async def test_workers_know_the_active_holds_also_after_a_restart_of_the_sidecar(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared):
        shared.hold({"topic:größe": False, "tenant:acme": True})
        shared.announce(("s3cret",), 1.0)
        async with worker(server) as one:
            await one.watcher.ready()
            assert one.holds == {"topic:größe": False, "tenant:acme": True}
            async with sidecar(server) as next_shared, running(next_shared):
                next_shared.hold({"tenant:acme": True})
                await one.until(lambda known: known.holds == {"tenant:acme": True})
