"""Single messages: read by sequence or subject, deleted, purged."""

import orjson
import pytest
from nats.js.api import StreamConfig
from nats.js.errors import KeyDeletedError, KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from tests.simulation.conformance.pulls import fill
from tests.simulation.conformance.site import Run, Site


def test_a_message_is_read_as_it_was_stored(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"]))
        await jetstream.publish("s.a", b"\x00\xff", headers={"One": " a: b ", "Two": "x\ny"})
        await jetstream.publish("s.b", b"")
        await jetstream.publish("s.a", b"3")
        raw = await jetstream.get_msg("s", 1)
        assert (raw.subject, raw.seq, raw.data) == ("s.a", 1, b"\x00\xff")
        assert raw.headers == {"One": "a: b", "Two": "x y"}
        raw = await jetstream.get_msg("s", 2)
        assert (raw.subject, raw.seq, raw.data, raw.headers) == ("s.b", 2, None, None)
        assert (await jetstream.get_msg("s", subject="s.a")).seq == 3
        assert (await jetstream.get_msg("s", subject="s.*")).seq == 3
        assert (await jetstream.get_msg("s", 2, ">", next=True)).seq == 2
        assert (await jetstream.get_msg("s", 2, "s.a", next=True)).seq == 3
        with pytest.raises(NotFoundError):
            await jetstream.get_msg("s", 3, "s.b", next=True)

    run(body)


def test_direct_gets_need_the_streams_permission(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"], allow_direct=True))
        await jetstream.publish("s.a", b"1", headers={"One": "1"})
        raw = await jetstream.get_msg("s", subject="s.a", direct=True)
        assert (raw.subject, raw.seq, raw.data) == ("s.a", 1, b"1")
        assert (raw.headers or {})["One"] == "1"
        with pytest.raises(NotFoundError):
            await jetstream.get_msg("s", subject="s.b", direct=True)

    run(body)


def test_a_purge_may_be_partial(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"]))

        async def purge(**question: object) -> tuple[int, int, int]:
            answer = await client.request("$JS.API.STREAM.PURGE.s", orjson.dumps(question))
            state = (await jetstream.stream_info("s")).state
            return orjson.loads(answer.data)["purged"], state.first_seq, state.last_seq

        await fill(client, "s.a", "s.b", "s.a", "s.b", "s.a", "s.b")
        assert await purge(filter="s.a", keep=1) == (2, 2, 6)
        assert await purge(seq=4) == (1, 4, 6)
        assert await purge(filter="s.b", seq=6) == (1, 5, 6)
        assert await purge(filter="s.c") == (0, 5, 6)
        assert await purge(keep=1) == (1, 6, 6)
        assert await purge(seq=10) == (1, 10, 9)
        await fill(client, "s.a")
        assert await purge() == (1, 11, 10)

    run(body)


def test_a_bucket_replaces_only_what_was_read(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        bucket = await jetstream.create_key_value(bucket="b", history=1, ttl=100)
        assert await bucket.create("k", b"1") == 1
        with pytest.raises(KeyWrongLastSequenceError):
            await bucket.create("k", b"2")
        assert await bucket.update("k", b"2", last=1) == 2
        with pytest.raises(KeyWrongLastSequenceError, match="wrong last sequence: 2"):
            await bucket.update("k", b"3", last=1)
        assert await bucket.put("other", b"9") == 3
        entry = await bucket.get("k")
        assert (entry.value, entry.revision) == (b"2", 2)
        with pytest.raises(KeyNotFoundError):
            await bucket.get("none")
        await bucket.delete("k")
        with pytest.raises(KeyNotFoundError) as caught:
            await bucket.get("k")
        assert isinstance(caught.value.__context__, KeyDeletedError)
        assert await bucket.create("k", b"5") == 5
        await bucket.purge("k")
        status = await bucket.status()
        assert (status.values, status.history, status.ttl) == (2, 1, 100)
        again = await jetstream.key_value("b")
        assert isinstance(again, KeyValue)
        assert sorted(await again.keys()) == ["other"]
        await jetstream.delete_key_value("b")
        with pytest.raises(NotFoundError):
            await jetstream.key_value("b")

    run(body)
