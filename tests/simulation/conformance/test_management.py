"""Streams and consumers: made, changed, described, deleted."""

from typing import Any

import orjson
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from tests.simulation.conformance.pulls import S
from tests.simulation.conformance.site import Run, Site

_OF_THE_TIME = (
    "created",
    "ts",
    "cluster",
    "first_ts",
    "last_ts",
    "metadata",
    "last_active",
)


async def ask(client: Client, verb: str, question: object = None) -> dict[str, Any]:
    payload = orjson.dumps(question) if question is not None else b""
    answer: dict[str, Any] = orjson.loads((await client.request(f"$JS.API.{verb}", payload, timeout=5)).data)
    return answer


def _steady(value: Any) -> Any:
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {name: _steady(each) for name, each in value.items() if name not in _OF_THE_TIME}
    return [_steady(each) for each in value] if isinstance(value, list) else value


async def error(client: Client, verb: str, question: object = None) -> tuple[int, int, str]:
    found = (await ask(client, verb, question))["error"]
    return found["code"], found["err_code"], found["description"]


_CONFIG = {
    "name": "s",
    "subjects": ["s.*"],
    "retention": "limits",
    "max_consumers": -1,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "discard": "old",
    "storage": "file",
    "num_replicas": 1,
    "duplicate_window": 120 * S,
    "compression": "none",
    "allow_direct": False,
    "mirror_direct": False,
    "sealed": False,
    "deny_delete": False,
    "deny_purge": False,
    "allow_rollup_hdrs": False,
    "consumer_limits": {},
    "allow_msg_ttl": False,
}
_EMPTY = {"messages": 0, "bytes": 0, "first_seq": 0, "last_seq": 0, "consumer_count": 0}


def test_a_stream_is_described(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        made = await ask(client, "STREAM.CREATE.s", {"name": "s", "subjects": ["s.*"]})
        kind = "io.nats.jetstream.api.v1.stream_create_response"
        assert _steady(made) == {"type": kind, "config": _CONFIG, "state": _EMPTY, "did_create": True}
        assert set(made) == {"type", "config", "created", "state", "ts", "did_create"}
        found = await ask(client, "STREAM.INFO.s")
        page = {"total": 0, "offset": 0, "limit": 0}
        kind = "io.nats.jetstream.api.v1.stream_info_response"
        assert _steady(found) == {"type": kind, **page, "config": _CONFIG, "state": _EMPTY}
        assert found["created"] == made["created"] < found["ts"]
        assert found["state"]["first_ts"] == found["state"]["last_ts"] == "0001-01-01T00:00:00Z"
        for subject in ("s.a", "s.b", "s.a", "s.c"):
            await client.jetstream().publish(subject, b"1")
        await client.jetstream().delete_msg("s", 2)
        state = (await ask(client, "STREAM.INFO.s", {"subjects_filter": "s.a", "deleted_details": True}))["state"]
        assert _steady(state) == {
            "messages": 3,
            "bytes": 102,
            "first_seq": 1,
            "last_seq": 4,
            "num_subjects": 2,
            "subjects": {"s.a": 2},
            "num_deleted": 1,
            "deleted": [2],
            "consumer_count": 0,
        }

    run(body)


def test_a_stream_is_not_made_twice(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        made = await ask(client, "STREAM.CREATE.s", {"name": "s", "subjects": ["s.*"]})
        again = await ask(client, "STREAM.CREATE.s", {"name": "s", "subjects": ["s.*"]})
        assert again["created"] == made["created"]
        in_use = (400, 10058, "stream name already in use with a different configuration")
        assert await error(client, "STREAM.CREATE.s", {"name": "s", "subjects": ["s.>"]}) == in_use
        overlaps = (400, 10065, "subjects overlap with an existing stream")
        assert await error(client, "STREAM.CREATE.t", {"name": "t", "subjects": ["s.a"]}) == overlaps
        assert await error(client, "STREAM.CREATE.t", {"name": "t", "subjects": ["t", "s.>"]}) == overlaps
        replicas = (500, 10074, "replicas > 1 not supported in non-clustered mode")
        question = {"name": "t", "subjects": ["t"], "num_replicas": 3}
        assert await error(client, "STREAM.CREATE.t", question) == replicas
        other = (400, 10056, "stream name in subject does not match request")
        assert await error(client, "STREAM.CREATE.t", {"name": "u"}) == other

    run(body)


def test_what_is_not_there_is_not_found(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        no_stream = (404, 10059, "stream not found")
        questions: dict[str, object] = {
            "STREAM.INFO.s": None,
            "STREAM.UPDATE.s": {"name": "s"},
            "STREAM.DELETE.s": None,
            "STREAM.PURGE.s": None,
            "STREAM.MSG.GET.s": {"seq": 1},
            "STREAM.MSG.DELETE.s": {"seq": 1},
            "CONSUMER.INFO.s.c": None,
            "CONSUMER.LIST.s": None,
            "CONSUMER.DELETE.s.c": None,
            "CONSUMER.DURABLE.CREATE.s.c": {"stream_name": "s", "config": {"durable_name": "c"}},
        }
        for verb, question in questions.items():
            assert await error(client, verb, question) == no_stream, verb
        await client.jetstream().add_stream(StreamConfig(name="s"))
        for verb in ("CONSUMER.INFO.s.c", "CONSUMER.DELETE.s.c"):
            assert await error(client, verb) == (404, 10014, "consumer not found")
        for question in ({"seq": 1}, {"last_by_subj": "s"}, {"seq": 1, "next_by_subj": ">"}):
            assert await error(client, "STREAM.MSG.GET.s", question) == (404, 10037, "no message found")
        assert await error(client, "STREAM.MSG.GET.s", {}) == (400, 10003, "bad request")
        assert await error(client, "STREAM.MSG.DELETE.s", {"seq": 9}) == (500, 10057, "stream store EOF")
        await client.jetstream().publish("s", b"1")
        await client.jetstream().purge_stream("s")
        assert await error(client, "STREAM.MSG.DELETE.s", {"seq": 1}) == (500, 10057, "no message found")
        with pytest.raises(NotFoundError):
            await client.jetstream().get_msg("s", 1)

    run(body)


def test_a_consumer_is_described(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await client.jetstream().add_stream(StreamConfig(name="s", subjects=["s.*"]))
        await client.jetstream().publish("s.a", b"1")
        config = ConsumerConfig(durable_name="c", ack_policy=AckPolicy.EXPLICIT, filter_subject="s.*")
        await client.jetstream().add_consumer("s", config)
        found = await ask(client, "CONSUMER.INFO.s.c")
        assert _steady(found) == {
            "type": "io.nats.jetstream.api.v1.consumer_info_response",
            "stream_name": "s",
            "name": "c",
            "config": {
                "durable_name": "c",
                "name": "c",
                "deliver_policy": "all",
                "ack_policy": "explicit",
                "ack_wait": 30 * S,
                "max_deliver": -1,
                "filter_subject": "s.*",
                "replay_policy": "instant",
                "max_waiting": 512,
                "max_ack_pending": 1000,
                "num_replicas": 0,
            },
            "delivered": {"consumer_seq": 0, "stream_seq": 0},
            "ack_floor": {"consumer_seq": 0, "stream_seq": 0},
            "num_ack_pending": 0,
            "num_redelivered": 0,
            "num_waiting": 0,
            "num_pending": 1,
        }
        listed = await ask(client, "CONSUMER.LIST.s")
        assert [each["name"] for each in listed["consumers"]] == ["c"]
        assert (listed["total"], listed["offset"], listed["limit"]) == (1, 0, 256)
        made = await ask(client, "CONSUMER.CREATE.s", {"stream_name": "s", "config": {"ack_policy": "none"}})
        assert _steady(made["config"]) == {
            "deliver_policy": "all",
            "ack_policy": "none",
            "max_deliver": -1,
            "replay_policy": "instant",
            "max_waiting": 512,
            "inactive_threshold": 5 * S,
            "num_replicas": 0,
        }
        assert len(made["name"]) == 8

    run(body)


def test_a_consumer_may_be_changed_in_part(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        await client.jetstream().add_stream(StreamConfig(name="s", subjects=["s.*"]))
        config: dict[str, Any] = {"durable_name": "c", "ack_policy": "explicit"}
        verb = "CONSUMER.DURABLE.CREATE.s.c"
        made = await ask(client, verb, {"stream_name": "s", "config": config})
        same = await ask(client, verb, {"stream_name": "s", "config": config, "action": "create"})
        assert same["created"] == made["created"]
        changed = {**made["config"], "ack_wait": S, "max_ack_pending": 7, "inactive_threshold": 3600 * S}
        after = await ask(client, verb, {"stream_name": "s", "config": changed, "action": "update"})
        assert _steady(after["config"]) == _steady(changed)
        assert after["created"] == made["created"]
        after = await ask(client, verb, {"stream_name": "s", "config": config, "action": "update"})
        assert _steady(after["config"]) == _steady(made["config"])
        refusals = {
            "deliver_policy": ("new", (500, 10012, "deliver policy can not be updated")),
            "ack_policy": ("none", (500, 10012, "ack policy can not be updated")),
            "max_waiting": (3, (500, 10012, "max waiting can not be updated")),
            "deliver_subject": ("x", (500, 10012, "can not update pull consumer to push based")),
            "backoff": ([S, S], (400, 10116, "max deliver is required to be > length of backoff values")),
            "idle_heartbeat": (S, (400, 10088, "consumer idle heartbeat requires a push based consumer")),
        }
        for name, (value, refusal) in refusals.items():
            wanted = {**config, name: value, "max_deliver": 1}
            assert await error(client, verb, {"stream_name": "s", "config": wanted}) == refusal
        question = {"stream_name": "s", "config": {**config, "max_deliver": 5}, "action": "create"}
        assert await error(client, verb, question) == (400, 10148, "consumer already exists")
        await client.jetstream().delete_consumer("s", "c")
        question = {"stream_name": "s", "config": config, "action": "update"}
        assert await error(client, verb, question) == (400, 10149, "consumer does not exist")

    run(body)


def test_a_work_queue_has_one_consumer_for_a_message(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        config = StreamConfig(name="s", subjects=["s.*"], retention=RetentionPolicy.WORK_QUEUE)
        await client.jetstream().add_stream(config)
        wanted = ConsumerConfig(durable_name="c", ack_policy=AckPolicy.EXPLICIT, filter_subject="s.*")
        await client.jetstream().add_consumer("s", wanted)
        verb = "CONSUMER.DURABLE.CREATE.s.d"
        question: dict[str, Any] = {"stream_name": "s", "config": {"durable_name": "d", "ack_policy": "explicit"}}
        refusal = (400, 10099, "multiple non-filtered consumers not allowed on workqueue stream")
        assert await error(client, verb, question) == refusal
        question["config"]["filter_subject"] = "s.a"
        assert await error(client, verb, question) == (
            400,
            10100,
            "filtered consumer not unique on workqueue stream",
        )
        question["config"] = {"durable_name": "d", "ack_policy": "none"}
        assert await error(client, verb, question) == (
            400,
            10084,
            "consumer in pull mode requires explicit ack policy on workqueue stream",
        )
        change = {**_CONFIG, "retention": "limits"}
        assert await error(client, "STREAM.UPDATE.s", change) == (
            500,
            10052,
            "stream configuration update can not change retention policy to/from workqueue",
        )

    run(body)


def test_streams_are_listed(run: Run) -> None:
    async def body(site: Site) -> None:
        client = await site.connect()
        for name in ("b", "a"):
            await client.jetstream().add_stream(StreamConfig(name=name, subjects=[f"{name}.*"]))
        assert (await ask(client, "STREAM.NAMES"))["streams"] == ["a", "b"]
        assert (await ask(client, "STREAM.NAMES", {"subject": "a.x"}))["streams"] == ["a"]
        assert (await ask(client, "STREAM.NAMES", {"subject": "c"}))["streams"] is None
        assert [each["config"]["name"] for each in (await ask(client, "STREAM.LIST"))["streams"]] == ["a", "b"]
        account = await client.jetstream().account_info()
        assert (account.streams, account.consumers) == (2, 0)

    run(body)
