"""What becomes of a delivery: acknowledged, given back, terminated, kept alive, forgotten."""

import asyncio

from nats.aio.client import Client

from tests.simulation.conformance.pulls import Delivered, Ended, Puller, S, fill, info, settle, work_queue
from tests.simulation.conformance.site import Run, Site


async def _answer(client: Client, puller: Puller, *answers: bytes) -> None:
    """Answer so many deliveries, and wait until the server has the answers."""
    for answer in answers:
        await settle(client, (await puller.raw()).reply, answer)


def test_an_acknowledged_message_leaves_a_work_queue(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c")
        await puller.ask(batch=3)
        await _answer(client, puller, b"+WPI", b"+ACK", b"")
        assert await info(client) == {
            "num_ack_pending": 1,
            "num_redelivered": 0,
            "num_waiting": 0,
            "num_pending": 0,
            "delivered": (3, 3),
            "ack_floor": (0, 0),
        }
        state = (await client.jetstream().stream_info("s")).state
        assert (state.messages, state.first_seq, state.last_seq) == (1, 1, 3)

    run(body)


def test_the_floor_follows_what_is_settled_in_order(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, *["s.a"] * 5)
        await puller.ask(batch=4)
        replies = [(await puller.raw()).reply for _ in range(4)]
        floors = []
        for number in (1, 0, 3, 2):
            await settle(client, replies[number], b"+ACK")
            floors.append((await info(client))["ack_floor"])
        assert floors == [(0, 0), (2, 2), (2, 2), (4, 4)]
        state = (await client.jetstream().stream_info("s")).state
        assert (state.messages, state.first_seq, state.last_seq) == (1, 5, 5)
        await puller.ask(batch=1)
        await _answer(client, puller, b"+TERM")
        assert (await info(client))["ack_floor"] == (5, 5)
        state = (await client.jetstream().stream_info("s")).state
        assert (state.messages, state.first_seq, state.last_seq) == (0, 6, 5)

    run(body)


def test_an_unsettled_message_is_delivered_again(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=0.2)
        await fill(client, "s.a", "s.b")
        await puller.ask(batch=10, expires=30 * S)
        assert await puller.take(6) == [
            Delivered("s.a", 1, 1, 1, 1),
            Delivered("s.b", 1, 2, 2, 0),
            Delivered("s.a", 2, 1, 3, 0),
            Delivered("s.b", 2, 2, 4, 0),
            Delivered("s.a", 3, 1, 5, 0),
            Delivered("s.b", 3, 2, 6, 0),
        ]
        found = await info(client)
        assert (found["num_ack_pending"], found["num_redelivered"], found["delivered"]) == (2, 2, (6, 2))

    run(body)


def test_an_acknowledgement_of_an_earlier_delivery_counts(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=0.2)
        await fill(client, "s.a")
        await puller.ask(batch=2, expires=30 * S)
        first, second = await puller.raw(), await puller.raw()
        assert [each.reply.split(".")[4] for each in (first, second)] == ["1", "2"]
        await settle(client, first.reply, b"+ACK")
        found = await info(client)
        assert (found["num_ack_pending"], found["num_redelivered"], found["ack_floor"]) == (0, 0, (2, 1))
        await settle(client, second.reply, b"-NAK")
        await puller.ask(batch=1, expires=S // 2)
        assert await puller.next() == Ended(2, "408", "Request Timeout", "1")
        assert (await client.jetstream().stream_info("s")).state.messages == 0

    run(body)


def test_a_message_given_back_comes_again_in_its_time(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c", "s.d")
        await puller.ask(batch=20, expires=30 * S)
        began = asyncio.get_running_loop().time()
        await _answer(client, puller, b'-NAK {"delay": 400000000}', b"-NAK", b'-NAK {"delay": 0}', b"+WPI")
        again = await puller.take(3)
        assert asyncio.get_running_loop().time() - began > 0.35
        assert again == [
            Delivered("s.b", 2, 2, 5, 0),
            Delivered("s.c", 2, 3, 6, 0),
            Delivered("s.a", 2, 1, 7, 0),
        ]

    run(body)


def test_a_sign_of_life_keeps_a_message(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=0.5)
        await fill(client, "s.a", "s.b")
        await puller.ask(batch=4, expires=30 * S)
        kept, left = await puller.raw(), await puller.raw()
        await asyncio.sleep(0.3)
        await settle(client, kept.reply, b"+WPI")
        assert await puller.take(2) == [Delivered("s.b", 2, 2, 3, 0), Delivered("s.a", 2, 1, 4, 0)]
        assert left.subject == "s.b"

    run(body)


def test_what_waits_for_redelivery_is_not_kept_by_a_sign_of_life(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=0.2)
        await fill(client, "s.a")
        await puller.ask(batch=1)
        message = await puller.raw()
        await asyncio.sleep(0.5)
        await settle(client, message.reply, b"+WPI")
        await puller.ask(batch=1, no_wait=True)
        assert await puller.next() == Delivered("s.a", 2, 1, 2, 0)

    run(body)


def test_a_delayed_message_may_be_acknowledged_and_kept(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=0.3)
        await fill(client, "s.a", "s.b")
        await puller.ask(batch=2)
        first, second = await puller.raw(), await puller.raw()
        for message in (first, second):
            await settle(client, message.reply, b'-NAK {"delay": 30000000000}')
        await settle(client, first.reply, b"+ACK")
        await settle(client, second.reply, b"+WPI")  # from now on its ack wait counts again
        await puller.ask(batch=1, expires=10 * S)
        assert await puller.next() == Delivered("s.b", 2, 2, 3, 0)

    run(body)


def test_no_more_than_so_many_are_unsettled(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30, max_ack_pending=2)
        await fill(client, "s.a", "s.b", "s.c", "s.d")
        await puller.ask(batch=10, expires=30 * S)
        replies = [(await puller.raw()).reply for _ in range(2)]
        found = await info(client)
        assert (found["num_ack_pending"], found["num_pending"], found["num_waiting"]) == (2, 2, 1)
        await settle(client, replies[0], b"-NAK")
        assert await puller.next() == Delivered("s.a", 2, 1, 3, 2)
        await settle(client, replies[1], b"+ACK")
        assert await puller.next() == Delivered("s.c", 1, 3, 4, 1)

    run(body)


def test_after_so_many_deliveries_a_message_is_left_alone(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=0.2, max_deliver=2)
        await fill(client, "s.a")
        await puller.ask(batch=5, expires=S)
        assert await puller.take(3) == [
            Delivered("s.a", 1, 1, 1, 0),
            Delivered("s.a", 2, 1, 2, 0),
            Ended(1, "408", "Request Timeout", "3"),
        ]
        found = await info(client)
        assert (found["num_ack_pending"], found["num_pending"], found["delivered"]) == (0, 0, (2, 1))
        assert (await client.jetstream().stream_info("s")).state.messages == 1

    run(body)


def test_a_backoff_replaces_the_ack_wait(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30, backoff=[0.1, 0.6], max_deliver=5)
        await fill(client, "s.a")
        await puller.ask(batch=3, expires=30 * S)
        times = []
        for _ in range(3):
            await puller.next()
            times.append(asyncio.get_running_loop().time())
        assert 0.05 < times[1] - times[0] < 0.5 < times[2] - times[1]

    run(body)


def test_what_is_deleted_is_not_delivered_again(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c", "s.d")
        await puller.ask(batch=2)
        first, _ = await puller.raw(), await puller.raw()
        await jetstream.delete_msg("s", 2)
        await jetstream.delete_msg("s", 4)
        async with asyncio.timeout(30):
            while (found := await info(client))["num_ack_pending"] > 1:
                """The server tells the consumer a moment later."""
        assert (found["num_ack_pending"], found["num_pending"], found["ack_floor"]) == (1, 1, (0, 0))
        await settle(client, first.reply, b"-NAK")
        await puller.ask(batch=2)
        await puller.ask(batch=2, expires=30 * S)
        assert await puller.take(2) == [Delivered("s.a", 2, 1, 3, 1), Delivered("s.c", 1, 3, 4, 0)]
        await jetstream.purge_stream("s")
        found = await info(client)
        assert (found["num_ack_pending"], found["num_pending"], found["delivered"][1]) == (0, 0, 4)
        assert found["ack_floor"] == (4, 4)

    run(body)


def test_a_recreated_consumer_begins_with_what_is_left(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c")
        await puller.ask(batch=2)
        await _answer(client, puller, b"+ACK", b"+WPI")
        config = (await jetstream.consumer_info("s", "c")).config
        await jetstream.delete_consumer("s", "c")
        await jetstream.add_consumer("s", config)
        assert await info(client) == {
            "num_ack_pending": 0,
            "num_redelivered": 0,
            "num_waiting": 0,
            "num_pending": 2,
            "delivered": (0, 1),
            "ack_floor": (0, 1),
        }
        await puller.ask(batch=2)
        assert await puller.take(2) == [Delivered("s.b", 1, 2, 1, 1), Delivered("s.c", 1, 3, 2, 0)]

    run(body)
