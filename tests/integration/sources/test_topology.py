"""Stream and consumer on a real server: made, kept, brought in line, or refused in words."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType
from structlog.testing import capture_logs

from email_consumer.jetstream.api import ask
from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from email_consumer.sources.jetstream.durable_consumer import TopologyError
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology
from tests.servers.nats import NatsServer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path) as server:
        client = await connect(NatsEndpoint([server.url]))
        yield client
        await client.close()


@pytest.fixture
def jetstream(client: Client) -> JetStreamContext:
    return client.jetstream()


def _topology(client: Client, **differing: Any) -> Topology:
    needs: dict[str, Any] = {
        "stream": "messages",
        "subject": "messages.email",
        "consumer": "email-processor",
        "ack_wait": 30.0,
        "concurrency": 500,
        "replicas": 1,
    }
    return Topology(client, MailStream(**(needs | differing)))


async def test_what_is_absent_is_made(client: Client, jetstream: JetStreamContext) -> None:
    await _topology(client).ensure()
    stream = (await jetstream.stream_info("messages")).config
    assert stream.subjects == ["messages.*"]
    assert stream.retention == RetentionPolicy.WORK_QUEUE
    assert stream.storage == StorageType.FILE
    assert stream.duplicate_window == 120
    consumer = (await jetstream.consumer_info("messages", "email-processor")).config
    assert consumer.filter_subject == "messages.email"
    assert consumer.ack_policy == AckPolicy.EXPLICIT
    assert consumer.ack_wait == 30
    assert consumer.max_deliver == -1
    assert consumer.max_ack_pending == 5_000
    assert not consumer.deliver_subject
    dead = (await jetstream.stream_info("messages-dead")).config
    assert dead.subjects == ["messages-dead.*"]
    assert dead.retention == RetentionPolicy.LIMITS
    assert dead.discard == DiscardPolicy.NEW


async def test_a_second_time_changes_and_says_nothing(client: Client) -> None:
    await _topology(client).ensure()
    with capture_logs() as lines:
        await _topology(client).ensure()
    assert lines == []


async def test_few_workers_still_leave_room_for_delayed_mail(client: Client, jetstream: JetStreamContext) -> None:
    await _topology(client, concurrency=1).ensure()
    assert (await jetstream.consumer_info("messages", "email-processor")).config.max_ack_pending == 1_000


async def test_what_was_deleted_is_made_again(client: Client, jetstream: JetStreamContext) -> None:
    topology = _topology(client)
    await topology.ensure()
    await jetstream.delete_stream("messages")
    await topology.ensure()
    assert (await jetstream.consumer_info("messages", "email-processor")).config.filter_subject == "messages.email"


async def test_an_existing_stream_is_used_as_it_is_and_its_risks_are_named(
    client: Client, jetstream: JetStreamContext
) -> None:
    before = await jetstream.add_stream(name="messages", subjects=["messages.>"], max_msgs=10, storage="memory")
    await jetstream.publish("messages.email", b"from before")
    with capture_logs() as lines:
        await _topology(client).ensure()
    assert (await jetstream.stream_info("messages")).config == before.config
    risks = [line["risk"] for line in lines if line["event"] == "stream.risk"]
    assert any("max_msgs 10" in risk for risk in risks)
    assert any("memory" in risk for risk in risks)
    assert [line["messages"] for line in lines if line["event"] == "consumer.starts_at_the_beginning"] == [1]


async def test_a_stream_that_does_not_take_the_subject_is_refused(client: Client, jetstream: JetStreamContext) -> None:
    await jetstream.add_stream(name="messages", subjects=["mail.*"])
    with pytest.raises(TopologyError, match=r"SUBJECT 'messages.email' is not among its subjects \(mail.\*\)"):
        await _topology(client).ensure()


async def test_a_consumer_is_brought_in_line_and_it_is_said(client: Client, jetstream: JetStreamContext) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.*"], retention=RetentionPolicy.WORK_QUEUE)
    theirs = ConsumerConfig(
        durable_name="email-processor",
        description="made by hand",
        filter_subject="messages.email",
        ack_wait=1.0,
        backoff=[1.0, 5.0],
        max_deliver=5,
        max_ack_pending=10,
        inactive_threshold=60.0,
    )
    await jetstream.add_consumer("messages", theirs)
    with capture_logs() as lines:
        await _topology(client).ensure()
    ours = (await jetstream.consumer_info("messages", "email-processor")).config
    assert (ours.ack_wait, ours.backoff, ours.max_deliver, ours.max_ack_pending) == (30, None, -1, 5_000)
    assert not ours.inactive_threshold
    assert ours.description == "made by hand"
    said = {line["field"] for line in lines if line["event"] == "consumer.updated"}
    assert said == {"ack_wait", "backoff", "max_deliver", "max_ack_pending", "inactive_threshold"}


async def test_fields_of_a_consumer_that_are_not_ours_outlive_its_update(client: Client) -> None:
    await _topology(client).ensure()
    await ask(client, "CONSUMER.DELETE.messages.email-processor")
    theirs = {
        "durable_name": "email-processor",
        "ack_policy": "explicit",
        "filter_subject": "messages.email",
        "ack_wait": 1_000_000_000,
        "backoff": [1_000_000_000, 5_000_000_000],
        "max_batch": 7,
        "max_expires": 20_000_000_000,
        "max_bytes": 4_000_000,
        "max_waiting": 17,
        "priority_groups": ["jobs"],
        "priority_policy": "overflow",
        "pause_until": "2100-01-01T00:00:00Z",
        "metadata": {"owner": "platform"},
        "sample_freq": "10%",
    }
    question = {"stream_name": "messages", "config": theirs}
    before = (await ask(client, "CONSUMER.DURABLE.CREATE.messages.email-processor", question))["config"]
    await _topology(client).ensure()
    after = (await ask(client, "CONSUMER.INFO.messages.email-processor"))["config"]
    assert before.pop("backoff")
    assert after == before | {"ack_wait": 30_000_000_000, "max_ack_pending": 5_000}


async def test_what_may_keep_mail_from_coming_is_named(client: Client) -> None:
    await _topology(client).ensure()
    fields = {
        "durable_name": "email-processor",
        "ack_policy": "explicit",
        "filter_subject": "messages.email",
        "max_ack_pending": 5_000,
        "max_bytes": 1_000,
        "max_expires": 1_000_000,
    }
    question = {"stream_name": "messages", "config": fields, "action": "update"}
    await ask(client, "CONSUMER.DURABLE.CREATE.messages.email-processor", question)
    with capture_logs() as lines:
        await _topology(client).ensure()
    said = [line["risk"] for line in lines if line["event"] == "consumer.risk"]
    assert ["max_bytes" in said[0], "max_expires" in said[1]] == [True, True]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ack_policy": AckPolicy.NONE}, "its ack policy is 'none', not 'explicit'"),
        ({"ack_policy": AckPolicy.ALL}, "its ack policy is 'all'"),
        ({"deliver_subject": "pushed"}, "it is a push consumer"),
        ({"filter_subject": "messages.sms"}, "it takes messages.sms, SUBJECT is 'messages.email'"),
        ({"filter_subject": None}, "it takes all subjects"),
        ({"headers_only": True}, "without the mail"),
    ],
)
async def test_a_consumer_that_can_not_be_repaired_is_refused(
    client: Client, jetstream: JetStreamContext, config: dict[str, Any], words: str
) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.*"])
    fitting = ConsumerConfig(durable_name="email-processor", filter_subject="messages.email")
    await jetstream.add_consumer("messages", fitting.evolve(**config))
    with pytest.raises(TopologyError, match="name another one in CONSUMER") as caught:
        await _topology(client).ensure()
    assert words in str(caught.value)


async def test_a_filter_is_not_missed_where_the_stream_holds_nothing_else(
    client: Client, jetstream: JetStreamContext
) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.email"])
    await jetstream.add_consumer("messages", ConsumerConfig(durable_name="email-processor"))
    await _topology(client).ensure()


async def test_another_consumer_of_the_same_work_queue_is_named(client: Client, jetstream: JetStreamContext) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.*"], retention=RetentionPolicy.WORK_QUEUE)
    await jetstream.add_consumer("messages", ConsumerConfig(durable_name="older", filter_subject="messages.*"))
    with pytest.raises(TopologyError, match=r"another consumer already takes 'messages.email' from it"):
        await _topology(client).ensure()


async def test_a_subject_that_another_stream_holds_is_named(client: Client, jetstream: JetStreamContext) -> None:
    await jetstream.add_stream(name="everything", subjects=["messages.>"])
    with pytest.raises(TopologyError, match=r"NATS refuses stream 'messages'.*overlap"):
        await _topology(client).ensure()


async def test_a_server_without_enough_nodes_says_so(client: Client) -> None:
    with pytest.raises(TopologyError, match="NATS_REPLICAS is 3"):
        await _topology(client, replicas=3).ensure()


@pytest.mark.parametrize("held", [True, False])
async def test_mail_that_a_deleted_consumer_may_have_delivered_counts_as_delivered(client: Client, held: bool) -> None:
    topology = _topology(client, transactional_subject="messages.transactional")
    await topology.ensure()
    for subject in ("messages.email", "messages.transactional", "messages.email"):
        await client.jetstream().publish(subject, b"mail")
    if held:  # somebody has used the consumer
        await consumer_lease(client).acquire()
    for consumer in ("email-processor", "email-processor-transactional"):
        await client.jetstream().delete_consumer("messages", consumer)
    await topology.ensure()
    delivered = await topology.delivered()
    assert (delivered.bulk, delivered.transactional) == ((3, 3) if held else (0, 0))
    await client.jetstream().publish("messages.email", b"later")
    await topology.ensure()
    assert await topology.delivered() == delivered, "nobody but the new consumer can deliver this one"


def consumer_lease(client: Client) -> ConsumerLease:
    return ConsumerLease(client, stream="messages", key="email-processor", what="the consumer", ledger="a", replicas=1)
