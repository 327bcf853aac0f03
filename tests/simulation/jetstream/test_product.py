"""The program's own parts over the model of NATS, as over the real server."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.cluster.membership import Membership
from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.ledger import Claim, Origin
from email_consumer.core.outcome import Duplicate, Sent
from email_consumer.jetstream.connection import NatsEndpoint, close, connect
from email_consumer.jetstream.connection_errors import NatsConnectError
from email_consumer.jetstream.key_value import ensure_bucket, subject
from email_consumer.jetstream.publisher import ConflictError, NoStreamError, Publisher
from email_consumer.jetstream.stream_reader import read_stream
from email_consumer.jetstream.watch import Entry, follow
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from email_consumer.ledgers.rule import Policy
from email_consumer.message.model import decode
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.source import JetStreamSource
from email_consumer.sources.jetstream.topology import Topology
from tests.simulation.jetstream.network import URL, Network
from tests.simulation.jetstream.server import Server
from tests.simulation.process import Process
from tests.simulation.world import World

_MAIL = b'{"uuid":"1","email":"to@example.com","subject":"s","body":"b"}'


def _in_world(*bodies: Callable[[Network, Process], Awaitable[None]], seed: int = 1) -> World:
    """Each body in a process of its own."""
    world = World(seed)
    network = Network(world, Server(world))

    async def work(body: Callable[[Network, Process], Awaitable[None]], process: Process) -> None:
        await body(network, process)

    with world.running():
        processes = [world.process(f"p{number}") for number in range(len(bodies))]
        tasks = [process.spawn(work(body, process)) for body, process in zip(bodies, processes, strict=True)]
        world.run(lambda: all(task.done() for task in tasks), limit=1000)
        for task in tasks:
            task.result()
    assert not world.unhandled
    return world


def _source(client: Client) -> tuple[Topology, JetStreamSource]:
    topology = Topology(
        client,
        MailStream(stream="messages", subject="messages.*", consumer="c", ack_wait=30, concurrency=10, replicas=1),
    )
    lease = ConsumerLease(client, stream="messages", key="c", what="the consumer", ledger="a", replicas=1)
    return topology, JetStreamSource(client, topology, lease)


def test_the_publisher_hears_refusals_and_absence() -> None:
    async def body(network: Network, process: Process) -> None:
        client = await network.connect(process)
        publisher = Publisher(client)
        with pytest.raises(NoStreamError):
            await publisher.once("$KV.b.k", b"1")
        await ensure_bucket(client, "b", replicas=1)
        stored = await publisher.once("$KV.b.k", b"1", {"Nats-Expected-Last-Subject-Sequence": "0"})
        assert (stored.stream, stored.sequence) == ("KV_b", 1)
        with pytest.raises(ConflictError, match="wrong last sequence: 1"):
            await publisher.once("$KV.b.k", b"1", {"Nats-Expected-Last-Subject-Sequence": "0"})

    _in_world(body)


def test_a_bucket_is_followed_and_read() -> None:
    async def body(network: Network, process: Process) -> None:
        client = await network.connect(process)
        await ensure_bucket(client, "b", replicas=1)
        publisher = Publisher(client)
        for key in "abc":
            await publisher.once(subject("b", key), key.encode())
        seen: list[Entry | None] = []
        async for entry in follow(client, "b", 0.5):
            seen.append(entry)
            if entry is None:
                await publisher.once(subject("b", "d"), b"d")
            if len(seen) == 5:
                break
        assert [entry and entry.value for entry in seen] == [b"a", b"b", b"c", None, b"d"]
        read = [message.data async for message in read_stream(client, "KV_b", subject="$KV.b.>", page=2)]
        assert read == [b"a", b"b", b"c", b"d"]

    _in_world(body)


def test_a_source_delivers_under_its_lease() -> None:
    async def body(network: Network, process: Process) -> None:
        client = await network.connect(process)
        topology, source = _source(client)
        await topology.ensure()
        await topology.ensure()
        await source.lease.acquire()
        keeping = asyncio.create_task(source.lease.keep())
        deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        slots = DeliverySlots(10)
        receiver = source.receiver(slots, deliveries.put_nowait)
        receiving = asyncio.create_task(receiver.run())
        await source.mail_queue.publish([(_MAIL, {}) for _ in range(30)])
        for number in range(30):
            delivery = await deliveries.get()
            assert delivery.payload == _MAIL
            if number % 10 == 5:
                await delivery.nak(1.0)
            else:
                await delivery.ack()
        again = [await deliveries.get() for _ in range(3)]
        assert [each.received for each in again] == [2, 2, 2]
        for delivery in again:
            await delivery.ack()
        await source.flush()
        assert (await source.mail_queue.backlog()).unsettled == 0
        await asyncio.sleep(100)
        await source.check()
        await receiver.stop()
        await receiving
        keeping.cancel()
        await source.lease.release()

    world = _in_world(body)
    assert 100 < world.now < 120


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("subjects", [["messages.*"], ["messages.email"]])
def test_an_outage_is_no_reason_for_one_lane(subjects: list[str], silent: bool) -> None:
    """For one lane is what a process keeps to, and nobody would read the mail of the other."""
    raised = []

    def body_with_outage(after: float) -> Callable[[Network, Process], Awaitable[None]]:
        async def body(network: Network, process: Process) -> None:
            client = await network.connect(process)
            await client.jetstream().add_stream(name="messages", subjects=subjects)
            topology = Topology(
                client,
                MailStream(
                    stream="messages",
                    subject="messages.email",
                    consumer="c",
                    ack_wait=30,
                    concurrency=10,
                    replicas=1,
                    transactional_subject="messages.transactional",
                ),
            )
            network.environment.after(after, lambda: network.server.lose_all_leaders(20, silent=silent))
            try:
                await topology.ensure()
            except NatsError:
                raised.append(after)
            else:
                assert not topology.transactional.missing

        return body

    for milliseconds in range(20):
        _in_world(body_with_outage(milliseconds / 1000))
    assert len(raised) > 3


def test_a_ledger_claims_once() -> None:
    async def body(network: Network, process: Process) -> None:
        client = await network.connect(process)
        topology, _ = _source(client)
        await topology.ensure()
        await ensure_ledger_streams(client, "messages", replicas=1)
        claims = ClaimsStream(client, "messages")
        await claims.create(replicas=1)
        await claims.mark(refilled=True)
        await claims.open()
        policy = Policy(86_400.0, "resend", 1_000.0, max_attempts=3)
        publisher = Publisher(client)
        ledgers = [
            JetStreamLedger(publisher, lambda _message, _origin: None, policy, stream="messages") for _ in range(2)
        ]
        mail, origin = decode(_MAIL), Origin("nats", "messages:1", 1, 1.0)
        async with ledgers[0].running(), ledgers[1].running():
            answers = await asyncio.gather(*(ledger.claim(mail, origin) for ledger in ledgers))
            [winner] = [ledger for ledger, answer in zip(ledgers, answers, strict=True) if isinstance(answer, Claim)]
            await winner.finish(mail, Sent("m"), origin)
            assert [await ledger.claim(mail, origin) for ledger in ledgers] == [Duplicate(), Duplicate()]

    _in_world(body)


class _Pace:
    def hold(self, _who: str, _why: str) -> None:
        """Nothing is sent here."""

    def resume(self, _who: str) -> None:
        """Nothing is sent here."""


def test_workers_share_and_leave() -> None:
    counts: dict[str, int] = {}

    async def body(network: Network, process: Process) -> None:
        changed = asyncio.Event()

        def set_workers(number: int) -> None:
            counts[process.name] = number
            changed.set()

        client = await network.connect(process)
        membership = Membership(client, stream="messages", replicas=1, set_workers=set_workers, pace=_Pace())
        await membership.open()
        running = asyncio.create_task(membership.run())
        for number in (3, 1 if process.name == "p0" else 0):
            async with asyncio.timeout(100):
                while number and counts.get(process.name) != number:
                    changed.clear()
                    await changed.wait()
        running.cancel()
        await membership.leave()

    _in_world(body, body, body)
    assert counts["p0"] == 1


def test_the_programs_own_connection_survives_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(network: Network, process: Process) -> None:
        monkeypatch.setattr("email_consumer.jetstream.connection.SteadyClient", lambda: network.client(process))
        network.server.stop()
        network.environment.after(3, network.server.start)
        client = await connect(NatsEndpoint([URL]))
        publisher = Publisher(client)
        await ensure_bucket(client, "b", replicas=1)
        network.server.restart(2)
        stored = await publisher.until_stored("$KV.b.k", b"1", "id")
        assert (stored.stream, stored.sequence) == ("KV_b", 1)
        assert client.stats["reconnects"] == 1
        await close(client)
        assert client.is_closed
        await asyncio.sleep(0.1)
        assert not network.server.connections
        network.server.stop()
        with pytest.raises(NatsConnectError, match="nothing listens there"):
            await connect(NatsEndpoint([URL]), patience=5)

    _in_world(body)


def test_a_seed_repeats_what_is_published() -> None:
    def story(seed: int) -> list[tuple[float, str, bytes]]:
        published: list[tuple[float, str, bytes]] = []

        async def body(network: Network, process: Process) -> None:
            network.server.on_publish = lambda subject, data, _: published.append(
                (network.environment.now, subject, data)
            )
            client = await network.connect(process)
            membership = Membership(client, stream="messages", replicas=1, set_workers=lambda _: None, pace=_Pace())
            await membership.open()
            running = asyncio.create_task(membership.run())
            await asyncio.sleep(20)
            running.cancel()
            await membership.leave()

        _in_world(body, body, seed=seed)
        return published

    first = story(1)
    assert len(first) > 30
    assert first == story(1)
    assert first != story(2)
