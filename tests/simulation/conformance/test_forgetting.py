"""A server is killed and comes back without the last of what it had acknowledged: of a stream, or of its consumer."""

from nats.aio.client import Client

from tests.simulation.conformance.pulls import Delivered, Puller, fill, info, settle, work_queue
from tests.simulation.conformance.site import Run, Site


async def _delivered(puller: Puller, many: int) -> list[tuple[int, int]]:
    """Sequence, and which delivery of it."""
    await puller.ask(batch=many)
    taken = await puller.take(many)
    return [(each.sequence, each.received) for each in taken if isinstance(each, Delivered)]


async def _settle(client: Client, puller: Puller, many: int) -> None:
    await puller.ask(batch=many)
    for _ in range(many):
        await settle(client, (await puller.raw()).reply)


def test_a_consumer_ahead_of_its_stream_delivers_again_what_it_knew_to_be_settled(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c", "s.d")
        assert await _delivered(puller, 1) == [(1, 1)]
        await site.remember()
        await fill(client, "s.e")
        await _settle(client, puller, 4)
        await site.forget("messages")
        found = await info(client)
        assert (found["delivered"][1], found["ack_floor"][1], found["num_pending"]) == (1, 0, 3)
        state = (await client.jetstream().stream_info("s")).state
        assert (state.first_seq, state.last_seq, state.messages) == (1, 4, 4)
        assert (await client.jetstream().publish("s.f", b"1")).seq == 5
        assert await _delivered(puller, 4) == [(2, 1), (3, 1), (4, 1), (5, 1)]

    run(body)


def test_what_a_consumer_knows_to_be_settled_stays_in_a_stream_that_forgot_it(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c")
        await site.remember()
        await _settle(client, puller, 2)
        await site.forget("messages")
        found = await info(client)
        assert (found["delivered"][1], found["ack_floor"][1], found["num_pending"]) == (2, 2, 1)
        assert (await client.jetstream().stream_info("s")).state.messages == 3
        assert await _delivered(puller, 1) == [(3, 1)]

    run(body)


def test_deliveries_that_were_forgotten_are_made_as_if_for_the_first_time(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        puller = await work_queue(client, ack_wait=30)
        await fill(client, "s.a", "s.b", "s.c")
        assert await _delivered(puller, 1) == [(1, 1)]
        await site.remember()
        await _settle(client, puller, 1)
        assert await _delivered(puller, 1) == [(3, 1)]
        await site.forget("deliveries")
        found = await info(client)
        assert (found["delivered"][1], found["num_ack_pending"], found["num_pending"]) == (1, 1, 1)
        assert await _delivered(puller, 1) == [(3, 1)]

    run(body)
