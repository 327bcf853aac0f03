"""What is said of the stream's consumer."""

from typing import Any

import pytest
from nats.aio.client import Client

from email_consumer.doctor.finding import Severity
from email_consumer.doctor.queue import check_queue, check_transactional_lane
from email_consumer.jetstream.api import ask
from email_consumer.sources.jetstream.drift import ConsumerNeeds
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology

NEEDS = ConsumerNeeds.of("messages.email", 30, 10)
FIELDS = {"durable_name": "c", "ack_policy": "explicit", "filter_subject": "messages.email", "max_ack_pending": 1_000}


@pytest.fixture
async def made(client: Client) -> Client:
    await Topology(
        client,
        MailStream(stream="messages", subject="messages.email", consumer="c", ack_wait=30, concurrency=10, replicas=1),
    ).ensure()
    return client


@pytest.mark.parametrize(
    ("config", "severity", "text"),
    [
        ({}, Severity.OK, "0 are waiting, 0 are being processed or waiting for a retry."),
        ({"max_batch": 5}, Severity.OK, "requests are kept to max_batch 5."),
        ({"max_bytes": 1000}, Severity.WARNING, "1,000 bytes (max_bytes): a larger mail never comes."),
        ({"max_expires": 1_000_000}, Severity.WARNING, "after 0.001 s (max_expires)"),
    ],
    ids=str,
)
async def test_a_consumers_limits(made: Client, config: dict[str, Any], severity: Severity, text: str) -> None:
    question = {"stream_name": "messages", "config": FIELDS | config, "action": "update"}
    await ask(made, "CONSUMER.DURABLE.CREATE.messages.c", question)
    finding = (await check_queue(made, stream="messages", consumer="c", needs=NEEDS))[-1]
    assert finding.severity is severity
    assert text in finding.text


async def test_a_consumer_that_serves_one_client_at_a_time(made: Client) -> None:
    await ask(made, "CONSUMER.DELETE.messages.c")
    config = FIELDS | {"priority_groups": ["jobs"], "priority_policy": "pinned_client"}
    await ask(made, "CONSUMER.DURABLE.CREATE.messages.c", {"stream_name": "messages", "config": config})
    finding = (await check_queue(made, stream="messages", consumer="c", needs=NEEDS))[-1]
    assert finding.severity is Severity.WARNING
    assert "pinned_client" in finding.text


async def test_a_paused_consumer(made: Client) -> None:
    await ask(made, "CONSUMER.PAUSE.messages.c", {"pause_until": "2100-01-01T00:00:00Z"})
    finding = (await check_queue(made, stream="messages", consumer="c", needs=NEEDS))[-1]
    assert finding.severity is Severity.ERROR
    assert "paused until 2100-01-01T00:00:00Z: no mail is sent" in finding.text
    assert finding.fix == "`nats consumer resume messages c`."


def _topology(client: Client, subject: str = "messages.email") -> Topology:
    return Topology(
        client,
        MailStream(
            stream="messages",
            subject=subject,
            consumer="c",
            ack_wait=30,
            concurrency=10,
            replicas=1,
            transactional_subject="messages.transactional",
        ),
    )


@pytest.mark.parametrize("paused", [False, True])
async def test_the_lane_of_transactional_mail(made: Client, paused: bool) -> None:
    await _topology(made).ensure()
    if paused:
        await ask(made, "CONSUMER.PAUSE.messages.c-transactional", {"pause_until": "2100-01-01T00:00:00Z"})
    [finding] = await check_transactional_lane(made, _topology(made).transactional)
    assert finding.check == "queue.transactional"
    assert finding.severity is (Severity.ERROR if paused else Severity.OK)


async def test_one_lane_and_why(made: Client) -> None:
    [finding] = await check_transactional_lane(made, _topology(made).transactional)
    assert finding.severity is Severity.WARNING
    assert "it has no consumer 'c-transactional'" in finding.text
    await made.jetstream().publish("messages.transactional", b"from before")
    [finding] = await check_transactional_lane(made, _topology(made).transactional)
    assert "1 messages lie on 'messages.transactional', and nobody reads them" in finding.text
    assert "lanes adopt" in finding.fix
    [finding] = await check_transactional_lane(made, _topology(made, "messages.*").transactional)
    assert "SUBJECT 'messages.*' covers 'messages.transactional'" in finding.text
