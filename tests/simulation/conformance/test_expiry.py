"""Messages that go in their time: by the stream's max_age, or by a TTL of their own."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from nats.js.errors import NotFoundError

from tests.simulation.conformance.pulls import info
from tests.simulation.conformance.site import Run, Site
from tests.simulation.conformance.test_publishing import publish, refused

_PAUSE = 0.05


async def _until_gone(client: Client, stream: str, subject: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await client.jetstream().get_msg(stream, subject=subject)
            except NotFoundError:
                return
            await asyncio.sleep(_PAUSE)


def test_a_message_with_a_ttl_goes(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        config = StreamConfig(name="s", subjects=["s.*"], max_msgs_per_subject=1)
        await jetstream.add_stream(config)
        assert refused(await publish(client, "s.a", Nats_TTL="1")) == (400, 10166, "per-message TTL is disabled")
        await jetstream.update_stream(config.evolve(allow_msg_ttl=True))
        for wrong in ("0", "-1", "x", "500ms"):
            answer = await publish(client, "s.a", Nats_TTL=wrong)
            assert refused(answer) == (400, 10165, "invalid per-message TTL")
        began = asyncio.get_running_loop().time()
        await publish(client, "s.a", Nats_TTL="1")
        await publish(client, "s.b", Nats_TTL="1")
        await publish(client, "s.b", Nats_TTL="1000")
        await publish(client, "s.c", Nats_TTL="never")
        await publish(client, "s.d", Nats_TTL="1m")
        await publish(client, "s.e", Nats_TTL="1")
        await publish(client, "s.e")  # the newer one has none
        await _until_gone(client, "s", "s.a")
        assert asyncio.get_running_loop().time() - began >= 0.95
        found = await jetstream.stream_info("s", subjects_filter=">")
        assert found.state.subjects == {"s.b": 1, "s.c": 1, "s.d": 1, "s.e": 1}
        # A key that is gone was never there.
        assert await publish(client, "s.a", Nats_Expected_Last_Subject_Sequence="0") == {"stream": "s", "seq": 8}

    run(body)


def test_a_stream_may_forget_what_is_old(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"], max_age=0.5, duplicate_window=0.5))
        await jetstream.add_consumer("s", ConsumerConfig(durable_name="c", ack_policy=AckPolicy.EXPLICIT))
        for _ in range(3):
            await publish(client, "s.a")
        await _until_gone(client, "s", "s.a")
        state = (await jetstream.stream_info("s")).state
        assert (state.messages, state.first_seq, state.last_seq) == (0, 4, 3)
        assert (await info(client))["num_pending"] == 0
        await publish(client, "s.a")
        assert (await info(client))["num_pending"] == 1

    run(body)


def test_the_end_of_a_subject_may_be_marked(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        config = StreamConfig(name="s", subjects=["s.*"], max_msgs_per_subject=1, allow_msg_ttl=True)
        await jetstream.add_stream(config.evolve(subject_delete_marker_ttl=60, allow_rollup_hdrs=True))
        await publish(client, "s.a", Nats_TTL="1")
        async with asyncio.timeout(30):
            while (mark := await jetstream.get_msg("s", subject="s.a")).seq == 1:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(_PAUSE)
        assert mark.data is None
        assert mark.headers == {"Nats-Marker-Reason": "MaxAge", "Nats-TTL": "1m0s", "Nats-Rollup": "sub"}
        with pytest.raises(NotFoundError):
            await jetstream.get_msg("s", 1)

    run(body)
