"""One ledger per consumer, on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import nats
import pytest
from nats.aio.client import Client

from email_consumer.runtime.clock import elapsed
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.runtime.tasks import end
from email_consumer.sources.jetstream import consumer_lease as lease
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease, LeaseLostError, LeaseRefusedError
from tests.servers.nats import NatsServer
from tests.servers.raw_publisher import RawPublisher
from tests.waiting import until

Value = TypeVar("Value")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        yield client
        await client.close()


def of(client: Client, ledger: str, *, shared: bool = False, in_use: bool = False) -> ConsumerLease:
    async def used() -> bool:
        return in_use

    return ConsumerLease(
        client,
        stream="messages",
        key="email-processor",
        what="the consumer 'email-processor'",
        ledger=ledger,
        replicas=1,
        shared=shared,
        in_use=used,
    )


async def inherits(lease: ConsumerLease) -> bool:
    """Acquire it; whether another ledger, or nobody that is known, had it before."""
    noted = False

    async def note() -> None:
        nonlocal noted
        noted = True

    await lease.acquire(lambda: _at_once(note))
    return noted


async def _at_once(value: Value) -> Value:
    return value


async def test_the_first_one_inherits_what_unknown_others_delivered(client: Client) -> None:
    first = of(client, "a")
    assert await inherits(first)
    assert first.valid_until > elapsed()


async def test_the_same_ledger_comes_back_at_once_after_a_crash(client: Client) -> None:
    assert await inherits(of(client, "a"))
    assert not await inherits(of(client, "a"))


async def test_a_released_consumer_is_taken_at_once_but_as_a_takeover(client: Client) -> None:
    first = of(client, "a")
    await first.acquire()
    await first.release()
    assert await inherits(of(client, "b"))


async def test_who_ends_while_taking_over_has_not_taken_over(client: Client) -> None:
    async def end() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await of(client, "a").acquire(lambda: _at_once(end))
    assert await inherits(of(client, "a"))


async def test_what_was_read_for_a_takeover_is_dropped_if_somebody_else_was_faster(client: Client) -> None:
    first, second = of(client, "jetstream", shared=True), of(client, "jetstream", shared=True)
    recorded = []

    async def take_over() -> Callable[[], Awaitable[None]]:
        assert await inherits(second)  # as while this process is suspended
        return record

    async def record() -> None:
        recorded.append("what the second one has had delivered")

    await first.acquire(take_over)
    assert not recorded


async def test_a_shared_ledger_is_held_by_many_and_kept_by_those_who_stay(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_RENEWAL", 0.01)
    first, second = of(client, "jetstream", shared=True), of(client, "jetstream", shared=True)
    assert await inherits(first)
    assert not await inherits(second)
    await first.release()
    before = second.valid_until
    async with supervised(Service("first", first.keep), Service("second", second.keep)):
        await until(lambda: min(first.valid_until, second.valid_until) > before)


@pytest.mark.parametrize("shared_first", [True, False])
async def test_ledgers_of_both_kinds_refuse_to_meet(
    client: Client, monkeypatch: pytest.MonkeyPatch, *, shared_first: bool
) -> None:
    monkeypatch.setattr(lease, "_RENEWAL", 0.05)
    monkeypatch.setattr(lease, "_POLL", 0.01)
    first = of(client, "a", shared=shared_first)
    await first.acquire()
    async with supervised(Service("lease", first.keep)):
        with pytest.raises(LeaseRefusedError, match="must not have two ledgers"):
            await of(client, "b", shared=not shared_first).acquire()


async def test_another_ledger_waits_while_the_holder_lives(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"LEASE": 2.0, "_MARGIN": 0.2, "_RENEWAL": 0.1, "_POLL": 0.05}.items():
        monkeypatch.setattr(lease, name, seconds)
    first, second = of(client, "a"), of(client, "b")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    waiting = asyncio.create_task(inherits(second))
    done, _ = await asyncio.wait([waiting], timeout=2.5)
    assert not done
    await end(keeping)  # the holder dies without a word
    died_at = elapsed()
    assert await waiting
    assert elapsed() >= max(first.valid_until, died_at)


async def test_a_holder_that_slept_too_long_learns_that_it_lost(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_RENEWAL", 0.01)
    first, second = of(client, "a"), of(client, "a")
    await first.acquire()
    await second.acquire()
    with pytest.raises(LeaseLostError, match="taken over the consumer 'email-processor'"):
        await first.keep()


async def test_a_bucket_that_is_gone_is_recreated(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_RENEWAL", 0.01)
    holder = of(client, "a")
    await holder.acquire()
    before = holder.valid_until
    await client.jetstream().delete_key_value("messages-tenancy")
    keeping = asyncio.create_task(holder.keep())
    await until(lambda: holder.valid_until != before)
    await end(keeping)
    assert not await inherits(of(client, "a"))


async def renewed(*holders: ConsumerLease) -> None:
    """Until each of them has renewed from now on."""
    now = elapsed()
    await until(lambda: min(each.valid_until for each in holders) >= now + lease.LEASE - lease._MARGIN)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"LEASE": 2.0, "_MARGIN": 0.2, "_RENEWAL": 0.1, "_POLL": 0.05}.items():
        monkeypatch.setattr(lease, name, seconds)


async def gone(client: Client, what: str) -> None:
    """The record, by an operator's hand."""
    jetstream = client.jetstream()
    match what:
        case "bucket deleted":
            await jetstream.delete_key_value("messages-tenancy")
        case "bucket purged":
            await jetstream.purge_stream("KV_messages-tenancy")
        case "key deleted":
            await (await jetstream.key_value("messages-tenancy")).delete("email-processor")
        case "bucket deleted and made again":
            await jetstream.delete_key_value("messages-tenancy")
            await jetstream.create_key_value(bucket="messages-tenancy", history=1)
        case "junk":
            await (await jetstream.key_value("messages-tenancy")).put("email-processor", b"\xff junk")


WAYS = pytest.mark.parametrize(
    "way", ["bucket deleted", "bucket purged", "key deleted", "bucket deleted and made again", "junk"]
)


@WAYS
@pytest.mark.usefixtures("quick")
async def test_a_holder_whose_record_is_gone_stays_the_holder(client: Client, way: str) -> None:
    holder, waiting = of(client, "a"), of(client, "b", in_use=True)
    await holder.acquire()
    async with supervised(Service("lease", holder.keep)):
        other = asyncio.create_task(waiting.acquire())
        await asyncio.sleep(0.2)  # it has seen the holder
        await gone(client, way)
        before = holder.valid_until
        await until(lambda: holder.valid_until > before + 1)
        assert not other.done()
        await end(other)


@pytest.mark.parametrize("way", ["bucket deleted", "key deleted"])
@pytest.mark.usefixtures("quick")
async def test_who_comes_while_the_record_is_gone_waits_for_a_live_holder(client: Client, way: str) -> None:
    holder = of(client, "a")
    await holder.acquire()
    await gone(client, way)
    other = asyncio.create_task(of(client, "b", in_use=True).acquire())
    done, _ = await asyncio.wait([other], timeout=0.3)
    assert not done
    async with supervised(Service("lease", holder.keep)):
        done, _ = await asyncio.wait([other], timeout=2 * lease.LEASE)
        assert not done
    await other  # once it is silent for a lease


@WAYS
@pytest.mark.usefixtures("quick")
async def test_those_who_share_a_ledger_go_on(client: Client, way: str) -> None:
    workers = [of(client, "jetstream", shared=True) for _ in range(3)]
    place = of(client, "sidecar")
    place._key = "role.sidecar"
    for each in (*workers, place):
        await each.acquire()
    running = [asyncio.create_task(each.keep()) for each in (*workers, place)]
    for _ in range(3):
        await gone(client, way)
        await renewed(*workers, place)
    assert not [task for task in running if task.done()]
    await end(*running)


@pytest.mark.usefixtures("quick")
async def test_after_a_lapse_an_absent_record_is_no_right(client: Client) -> None:
    slept, holder = of(client, "a"), of(client, "b")
    await slept.acquire()
    await asyncio.sleep(lease.LEASE)
    await holder.acquire()
    await gone(client, "bucket deleted")
    waking = asyncio.create_task(slept.keep())
    await asyncio.sleep(0.5)
    async with supervised(Service("lease", holder.keep)):
        with pytest.raises(LeaseLostError):
            await waking


@pytest.mark.usefixtures("quick")
async def test_junk_in_place_of_the_record_is_no_holder(client: Client) -> None:
    holder = of(client, "a")
    await holder.acquire()
    await gone(client, "junk")
    before = holder.valid_until
    async with supervised(Service("holder", holder.keep)):
        await until(lambda: holder.valid_until != before)
    await gone(client, "junk")
    assert await inherits(of(client, "a"))


@pytest.mark.parametrize("headers", [b"XATS/1.0 \xff\xff\xff \xfe\r\n\r\n", b"NATS/1.0\r\nA: b", b"NATS/1.0"])
@pytest.mark.usefixtures("quick")
async def test_junk_with_headers_that_cannot_be_read_is_no_holder(client: Client, headers: bytes) -> None:
    holder = of(client, "a")
    await holder.acquire()
    await holder.release()
    assert client.connected_url is not None
    async with RawPublisher(client.connected_url.geturl()) as raw:
        await raw.publish(b"$KV.messages-tenancy.email-processor", b"[" * 100_000, headers)
    assert await inherits(of(client, "a"))
