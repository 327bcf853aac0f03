"""The second lane of a stream on a real server: made where it can be, and otherwise one lane that says why."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy
from structlog.testing import capture_logs

from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology
from tests.servers.nats import NatsServer

SUBJECT = "messages.transactional"
CONSUMER = "email-processor-transactional"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path) as server:
        client = await connect(NatsEndpoint([server.url]))
        yield client
        await client.close()


@pytest.fixture
def jetstream(client: Client) -> JetStreamContext:
    return client.jetstream()


def _topology(client: Client, *, subject: str = "messages.email", transactional: str = SUBJECT) -> Topology:
    return Topology(
        client,
        MailStream(
            stream="messages",
            subject=subject,
            consumer="email-processor",
            ack_wait=30.0,
            concurrency=500,
            replicas=1,
            transactional_subject=transactional,
        ),
    )


async def test_a_new_stream_has_both_lanes(client: Client, jetstream: JetStreamContext) -> None:
    topology = _topology(client)
    await topology.ensure()
    assert topology.transactional.missing == ""
    assert (await jetstream.stream_info("messages")).config.subjects == ["messages.*"]
    bulk = (await jetstream.consumer_info("messages", "email-processor")).config
    transactional = (await jetstream.consumer_info("messages", CONSUMER)).config
    assert (bulk.filter_subject, transactional.filter_subject) == ("messages.email", SUBJECT)
    own = {"name": CONSUMER, "durable_name": CONSUMER, "filter_subject": SUBJECT, "metadata": transactional.metadata}
    assert transactional == bulk.evolve(**own)


async def test_a_second_time_changes_and_says_nothing(client: Client) -> None:
    await _topology(client).ensure()
    with capture_logs() as lines:
        await _topology(client).ensure()
    assert lines == []


async def test_a_stream_without_the_subject_gets_it_and_the_mail_in_it_stays_bulk(
    client: Client, jetstream: JetStreamContext
) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.email"], retention=RetentionPolicy.WORK_QUEUE)
    await _topology(client, transactional="").ensure()
    await jetstream.publish("messages.email", b"from before")
    with capture_logs() as lines:
        topology = _topology(client)
        await topology.ensure()
    assert topology.transactional.missing == ""
    assert [line["subject"] for line in lines if line["event"] == "stream.subject_added"] == [SUBJECT]
    assert (await jetstream.stream_info("messages")).config.subjects == ["messages.email", SUBJECT]
    await jetstream.publish(SUBJECT, b"new")
    waiting = [(await jetstream.consumer_info("messages", each)).num_pending for each in ("email-processor", CONSUMER)]
    assert waiting == [1, 1], "a consumer without a filter would take both"


async def test_a_process_that_ended_between_subject_and_filter_is_made_good(
    client: Client, jetstream: JetStreamContext
) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.email"])
    await jetstream.add_consumer(
        "messages", ConsumerConfig(durable_name="email-processor", ack_policy=AckPolicy.EXPLICIT)
    )
    await jetstream.update_stream(name="messages", subjects=["messages.email", SUBJECT])
    topology = _topology(client)
    await topology.ensure()
    assert topology.transactional.missing == ""
    assert (await jetstream.consumer_info("messages", "email-processor")).config.filter_subject == "messages.email"


async def test_a_wider_subject_covers_the_lane(client: Client, jetstream: JetStreamContext) -> None:
    topology = _topology(client, subject="messages.*")
    with capture_logs() as lines:
        await topology.ensure()
        await topology.ensure()
    assert topology.transactional.missing == "SUBJECT 'messages.*' covers 'messages.transactional'"
    assert [line["reason"] for line in lines if line["event"] == "lanes.one"] == [topology.transactional.missing]
    assert len(await jetstream.consumers_info("messages")) == 1


async def test_a_sealed_off_stream_keeps_one_lane(client: Client, jetstream: JetStreamContext) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.email"])
    await jetstream.add_stream(name="elsewhere", subjects=[SUBJECT])
    topology = _topology(client)
    await topology.ensure()
    assert "can't be changed: NATS refuses: subjects overlap" in topology.transactional.missing
    assert len(await jetstream.consumers_info("messages")) == 1


async def test_another_consumer_of_the_subject_is_left_in_peace(client: Client, jetstream: JetStreamContext) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.*"], retention=RetentionPolicy.WORK_QUEUE)
    await jetstream.add_consumer("messages", ConsumerConfig(durable_name="theirs", filter_subject=SUBJECT))
    topology = _topology(client)
    await topology.ensure()
    assert topology.transactional.missing.startswith(f"its consumer {CONSUMER!r} can't be created: NATS refuses")


async def test_a_user_without_permission_has_one_lane(tmp_path: Path) -> None:
    deny = f'"$JS.API.CONSUMER.*.messages.{CONSUMER}"'
    user = f'{{ user: "us", password: "pw", permissions: {{ publish: {{ deny: [{deny}] }} }} }}'
    async with NatsServer(tmp_path, config=f"authorization {{ users: [{user}] }}") as server:
        client = await connect(NatsEndpoint([server.url.replace("//", "//us:pw@")]))
        topology = _topology(client)
        await topology.ensure()
        await client.close()
    assert topology.transactional.missing == f"its consumer {CONSUMER!r} can't be created: our user is not permitted to"


async def test_mail_from_before_is_named_and_sent_only_on_request(client: Client, jetstream: JetStreamContext) -> None:
    await _topology(client, transactional="").ensure()
    for _ in range(3):
        await jetstream.publish(SUBJECT, b"from before")
    topology = _topology(client)
    await topology.ensure()
    assert topology.transactional.missing.startswith("3 messages lie on 'messages.transactional' from before")
    assert len(await jetstream.consumers_info("messages")) == 1
    await topology.ensure(adopt=True)
    assert topology.transactional.missing == ""
    assert (await jetstream.consumer_info("messages", CONSUMER)).num_pending == 3


@pytest.mark.parametrize("upgraded", [False, True])
async def test_mail_that_came_while_the_consumer_was_lost_is_not_from_before(
    client: Client, jetstream: JetStreamContext, upgraded: bool
) -> None:
    if upgraded:
        await _topology(client, transactional="").ensure()
    await _topology(client).ensure()
    await jetstream.delete_consumer("messages", CONSUMER)
    await jetstream.publish(SUBJECT, b"meanwhile")
    topology = _topology(client)
    await topology.ensure()
    assert topology.transactional.missing == ""
    assert (await jetstream.consumer_info("messages", CONSUMER)).num_pending == 1


async def test_in_a_new_installation_mail_of_both_lanes_waits_for_the_first_start(
    client: Client, jetstream: JetStreamContext
) -> None:
    await jetstream.add_stream(name="messages", subjects=["messages.*"])
    await jetstream.publish("messages.email", b"bulk")
    await jetstream.publish(SUBJECT, b"transactional")
    await _topology(client).ensure()
    waiting = [(await jetstream.consumer_info("messages", each)).num_pending for each in ("email-processor", CONSUMER)]
    assert waiting == [1, 1]
