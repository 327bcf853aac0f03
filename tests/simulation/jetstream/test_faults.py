"""What may befall the connection and the server, and what a client sees of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from nats.aio.client import Client
from nats.errors import FlushTimeoutError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError, ServiceUnavailableError

from tests.simulation.conformance.pulls import Delivered, Ended, Puller, S, info, until_waiting
from tests.simulation.jetstream.link import Link
from tests.simulation.jetstream.network import Network
from tests.simulation.jetstream.server import Server
from tests.simulation.world import World


class _Scene:
    """A world with one process that is connected to a server with a work queue."""

    def __init__(self) -> None:
        self.world = World(1)
        self.server = Server(self.world)
        self.network = Network(self.world, self.server)
        self.process = self.world.process("one")
        self.client: Client
        self.puller: Puller

    @property
    def link(self) -> Link:
        return self.network.link(self.process)

    def run(self, body: Callable[["_Scene"], Awaitable[None]]) -> None:
        async def work() -> None:
            self.client = await self.network.connect(self.process)
            jetstream = self.client.jetstream(timeout=1)
            await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"], retention=RetentionPolicy.WORK_QUEUE))
            config = ConsumerConfig(durable_name="c", ack_policy=AckPolicy.EXPLICIT, ack_wait=5)
            await jetstream.add_consumer("s", config)
            self.puller = Puller(self.client, "s", "c")
            await self.puller.listen()
            await self.client.flush()
            await body(self)
            await self.client.close()

        with self.world.running():
            task = self.process.spawn(work())
            self.world.run(task.done, limit=1000)
            task.result()
        assert not self.world.unhandled

    async def publish(self, subject: str = "s.a", **headers: str) -> None:
        await self.client.jetstream(timeout=1).publish(subject, b"1", headers=headers or None)

    @property
    def stored(self) -> int:
        return len(self.server.jetstream.streams["s"].storage.messages)

    async def back(self) -> None:
        """Wait until the client has reconnected for the first time."""
        await _until(lambda: self.client.stats["reconnects"] > 0 and self.client.is_connected)

    async def lost(self) -> None:
        """Wait until the client has noticed that it is not connected."""
        await _until(lambda: not self.client.is_connected)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.1)


def test_what_is_under_way_is_lost_with_the_connection() -> None:
    async def body(scene: _Scene) -> None:
        asking = asyncio.create_task(scene.publish())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        scene.link.cut(3)
        with pytest.raises(NatsTimeoutError):
            await asking
        assert scene.stored == 0
        await scene.back()
        assert scene.client.stats["reconnects"] == 1
        await scene.publish()
        assert scene.stored == 1

    _Scene().run(body)


def test_an_answer_may_be_lost_alone() -> None:
    async def body(scene: _Scene) -> None:
        def cut(subject: str, *_: object) -> None:
            if subject == "s.a":
                scene.world.after(0, scene.link.cut, 1)

        scene.server.on_publish = cut
        with pytest.raises(NatsTimeoutError):
            await scene.publish()
        scene.server.on_publish = None
        assert scene.stored == 1
        await scene.back()

    _Scene().run(body)


def test_a_silent_cut_is_noticed_by_pings() -> None:
    async def body(scene: _Scene) -> None:
        began = asyncio.get_running_loop().time()
        scene.link.cut(client_notices=False, server_notices_after=60)
        assert scene.client.is_connected
        await scene.back()
        assert 9 < asyncio.get_running_loop().time() - began < 16
        assert len(scene.server.connections) == 2  # the server has not noticed yet

    _Scene().run(body)


def test_deliveries_to_nobody_come_again() -> None:
    async def body(scene: _Scene) -> None:
        await scene.puller.ask(batch=5, expires=30 * S)
        await until_waiting(scene.client, 1)
        other = await scene.network.connect(scene.world.process("other"))
        scene.link.cut(3, server_notices_after=60)
        await other.jetstream().publish("s.a", b"1")
        assert (await info(other))["num_ack_pending"] == 1
        await scene.back()
        again = await scene.puller.next()
        assert isinstance(again, Delivered)
        assert (again.sequence, again.received) == (1, 3)  # the second time, too, nobody was there

    _Scene().run(body)


def test_a_stall_delays_everything_in_order() -> None:
    async def body(scene: _Scene) -> None:
        began = asyncio.get_running_loop().time()
        scene.link.stall(3)
        with pytest.raises(NatsTimeoutError):
            await scene.publish()
        await scene.client.flush()
        assert 3 <= asyncio.get_running_loop().time() - began < 3.1
        assert scene.stored == 1
        assert scene.client.stats["reconnects"] == 0

    _Scene().run(body)


def test_a_late_answer_to_a_flush_is_only_late() -> None:
    async def body(scene: _Scene) -> None:
        scene.link.stall(3)
        with pytest.raises(FlushTimeoutError):
            await scene.client.flush(timeout=2)
        await asyncio.sleep(2)
        await scene.publish()
        assert scene.client.stats["reconnects"] == 0

    _Scene().run(body)


def test_what_a_client_sent_before_it_gave_up_arrives_after_a_long_stall() -> None:
    async def body(scene: _Scene) -> None:
        scene.link.stall(30)
        with pytest.raises(NatsTimeoutError):
            await scene.publish()
        await scene.lost()
        assert scene.stored == 0
        await scene.back()
        await scene.publish()
        assert scene.stored == 2

    _Scene().run(body)


def test_without_a_leader_nothing_is_stored_or_answered() -> None:
    async def body(scene: _Scene) -> None:
        await scene.puller.ask(batch=5, expires=30 * S)
        await scene.client.flush()
        scene.server.lose_leader("s", 2)
        assert await scene.puller.next() == Ended(1, "409", "Leadership Change", None)
        with pytest.raises(NoRespondersError):
            await scene.client.request("s.a", b"1")
        jetstream = scene.client.jetstream(timeout=0.5)
        with pytest.raises(ServiceUnavailableError):
            await jetstream.stream_info("s")
        await asyncio.sleep(2)
        await scene.publish()
        scene.server.lose_all_leaders(2, silent=True)
        with pytest.raises(NatsTimeoutError):
            await jetstream.stream_info("s")
        await asyncio.sleep(2)
        await scene.puller.ask(batch=1, expires=S)
        assert await scene.puller.next() == Delivered("s.a", 1, 1, 1, 0)

    _Scene().run(body)


def test_a_killed_process_leaves_what_it_had() -> None:
    async def body(scene: _Scene) -> None:
        other = scene.world.process("other")

        async def take() -> None:
            client = await scene.network.connect(other)
            puller = Puller(client, "s", "c")
            await puller.listen()
            await puller.ask(batch=5, expires=30 * S)
            await puller.next()
            other.kill()

        await scene.publish()
        other.spawn(take())
        await _until(lambda: not other.alive)
        await scene.puller.ask(batch=5, expires=30 * S)
        assert await scene.puller.next() == Delivered("s.a", 2, 1, 2, 0)
        assert len(scene.server.connections) == 1

    _Scene().run(body)


def test_an_operator_deletes_and_purges() -> None:
    async def body(scene: _Scene) -> None:
        await scene.publish()
        assert scene.server.purge("s") == 1
        await scene.puller.ask(batch=5, expires=30 * S)
        await scene.client.flush()
        scene.server.delete_consumer("s", "c")
        assert await scene.puller.next() == Ended(1, "409", "Consumer Deleted", None)
        scene.server.fill("s", "no space left on device")
        answer = (await scene.client.request("s.a", b"1")).data
        assert b'"err_code":10077,"description":"no space left on device"' in answer
        scene.server.delete_stream("s")
        with pytest.raises(NotFoundError):
            await scene.client.jetstream().stream_info("s")

    _Scene().run(body)
