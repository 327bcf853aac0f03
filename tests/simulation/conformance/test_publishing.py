"""What a stream stores, and with which words it refuses."""

from typing import Any

import orjson
import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig

from tests.simulation.conformance.site import Run, Site


async def publish(client: Client, subject: str, payload: bytes = b"1", **headers: str) -> dict[str, Any]:
    """The server's acknowledgement; underscores of header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: dict[str, Any] = orjson.loads((await client.request(subject, payload, headers=named or None)).data)
    return answer


def refused(answer: dict[str, Any]) -> tuple[int, int, str]:
    error = answer["error"]
    return error["code"], error["err_code"], error["description"]


def test_what_no_stream_takes_has_no_responders(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        with pytest.raises(NoRespondersError):
            await publish(client, "s.a")
        await client.jetstream().add_stream(StreamConfig(name="s", subjects=["s.*"]))
        with pytest.raises(NoRespondersError):
            await publish(client, "s.a.b")
        assert await publish(client, "s.a") == {"stream": "s", "seq": 1}
        await client.jetstream().delete_stream("s")
        with pytest.raises(NoRespondersError):
            await publish(client, "s.a")

    run(body)


def test_an_id_is_stored_once(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"], duplicate_window=0.2))
        assert await publish(client, "s.a", Nats_Msg_Id="1") == {"stream": "s", "seq": 1}
        again = {"stream": "s", "seq": 1, "duplicate": True}
        assert await publish(client, "s.b", Nats_Msg_Id="1") == again
        wrong = await publish(client, "s.b", Nats_Msg_Id="1", Nats_Expected_Last_Subject_Sequence="7")
        assert refused(wrong) == (400, 10071, "wrong last sequence: 0")
        await jetstream.purge_stream("s")
        assert await publish(client, "s.a", Nats_Msg_Id="1") == again  # also once it is gone
        answer = again
        while answer == again:
            answer = await publish(client, "s.a", Nats_Msg_Id="1")
        assert answer == {"stream": "s", "seq": 2}

    run(body)


def test_an_expected_sequence_has_to_hold(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await client.jetstream().add_stream(StreamConfig(name="s", subjects=["s.*"]))
        assert await publish(client, "s.a", Nats_Expected_Last_Subject_Sequence="0") == {"stream": "s", "seq": 1}
        wrong = await publish(client, "s.a", Nats_Expected_Last_Subject_Sequence="0")
        assert refused(wrong) == (400, 10071, "wrong last sequence: 1")
        assert (wrong["stream"], wrong["seq"]) == ("s", 0)
        assert await publish(client, "s.a", Nats_Expected_Last_Subject_Sequence="1") == {"stream": "s", "seq": 2}
        wrong = await publish(client, "s.b", Nats_Expected_Last_Subject_Sequence="1")
        assert refused(wrong) == (400, 10071, "wrong last sequence: 0")
        wrong = await publish(client, "s.b", Nats_Expected_Last_Sequence="1")
        assert refused(wrong) == (400, 10071, "wrong last sequence: 2")
        wrong = await publish(client, "s.b", Nats_Expected_Stream="other")
        assert refused(wrong) == (400, 10060, "expected stream does not match")
        wrong = await publish(client, "s.b", Nats_Expected_Last_Msg_Id="other")
        assert refused(wrong) == (400, 10070, "wrong last msg ID: ")

    run(body)


def test_a_full_stream_keeps_what_it_has(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        config = StreamConfig(name="s", subjects=["s.*"], max_msgs=2, discard=DiscardPolicy.NEW)
        await jetstream.add_stream(config)
        for subject in ("s.a", "s.b"):
            await publish(client, subject)
        assert refused(await publish(client, "s.a")) == (503, 10077, "maximum messages exceeded")
        await jetstream.update_stream(config.evolve(max_msgs=-1, max_bytes=100))
        assert refused(await publish(client, "s.a")) == (503, 10077, "maximum bytes exceeded")
        await jetstream.update_stream(config.evolve(max_msgs=2, max_msgs_per_subject=1))
        assert await publish(client, "s.a") == {"stream": "s", "seq": 3}  # it replaces its subject's
        assert refused(await publish(client, "s.c")) == (503, 10077, "maximum messages exceeded")
        await jetstream.update_stream(config.evolve(max_msgs=-1, max_msg_size=10))
        assert refused(await publish(client, "s.a", b"1" * 11)) == (
            400,
            10054,
            "message size exceeds maximum allowed",
        )
        wrong = await publish(client, "s.a", b"1", Some_Header="is counted")
        assert refused(wrong)[1] == 10054

    run(body)


def test_a_stream_that_discards_old_messages_takes_all(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        await jetstream.add_stream(StreamConfig(name="s", subjects=["s.*"], max_msgs=2))
        for _ in range(4):
            await publish(client, "s.a")
        state = (await jetstream.stream_info("s")).state
        assert (state.messages, state.first_seq, state.last_seq) == (2, 3, 4)
        await jetstream.update_stream(StreamConfig(name="s", subjects=["s.*"], max_bytes=100))
        for _ in range(4):
            await publish(client, "s.a")
        state = (await jetstream.stream_info("s")).state
        assert (state.messages, state.bytes, state.first_seq, state.last_seq) == (2, 68, 7, 8)

    run(body)


def test_a_transform_renames_subjects(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        transform = {"src": "refill.>", "dest": "claims.>"}
        question = {"name": "s", "subjects": ["refill.>"], "subject_transform": transform, "first_seq": 1_000_000}
        answer = await client.request("$JS.API.STREAM.CREATE.s", orjson.dumps(question))
        state = orjson.loads(answer.data)["state"]
        assert (state["first_seq"], state["last_seq"]) == (1_000_000, 999_999)
        assert await publish(client, "refill.a", Nats_Expected_Last_Subject_Sequence="0") == {
            "stream": "s",
            "seq": 1_000_000,
        }
        wrong = await publish(client, "refill.a", Nats_Expected_Last_Subject_Sequence="0")
        assert refused(wrong) == (400, 10071, "wrong last sequence: 1000000")
        assert (await jetstream.get_msg("s", subject="claims.a")).seq == 1_000_000
        with pytest.raises(NoRespondersError):
            await publish(client, "claims.a")
        question = {"name": "s", "subjects": ["claims.>"], "subject_transform": None, "first_seq": 1_000_000}
        await client.request("$JS.API.STREAM.UPDATE.s", orjson.dumps(question))
        assert await publish(client, "claims.a") == {"stream": "s", "seq": 1_000_001}
        with pytest.raises(NoRespondersError):
            await publish(client, "refill.a")

    run(body)


def test_a_roll_up_replaces_its_subject(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        jetstream = client.jetstream()
        config = StreamConfig(name="s", subjects=["s.*"], retention=RetentionPolicy.LIMITS)
        await jetstream.add_stream(config)
        for subject in ("s.a", "s.b", "s.a"):
            await publish(client, subject)
        assert refused(await publish(client, "s.a", Nats_Rollup="sub")) == (500, 10111, "rollup not permitted")
        await jetstream.update_stream(config.evolve(allow_rollup_hdrs=True))
        assert await publish(client, "s.a", Nats_Rollup="sub") == {"stream": "s", "seq": 4}
        info = await jetstream.stream_info("s", subjects_filter=">")
        assert info.state.subjects == {"s.a": 1, "s.b": 1}

    run(body)
