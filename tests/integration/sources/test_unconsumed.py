"""What lies in the stream for nobody, asked of a real server."""

from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, RetentionPolicy

from email_consumer.core.mail_queue import Unconsumed
from email_consumer.sources.jetstream import unconsumed
from email_consumer.sources.jetstream.unconsumed import find_unconsumed
from tests.servers.nats import NatsServer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        yield client
        await client.close()


async def stream(client: Client, retention: RetentionPolicy = RetentionPolicy.WORK_QUEUE) -> None:
    jetstream = client.jetstream()
    await jetstream.add_stream(name="mail", subjects=["mail.>"], retention=retention)
    await jetstream.add_consumer("mail", ConsumerConfig(durable_name="ours", filter_subject="mail.email"))


@pytest.mark.parametrize("retention", [RetentionPolicy.WORK_QUEUE, RetentionPolicy.LIMITS])
async def test_mail_that_no_consumer_takes_is_named(client: Client, retention: RetentionPolicy) -> None:
    await stream(client, retention)
    jetstream = client.jetstream()
    assert await find_unconsumed(client, "mail") == Unconsumed()
    await jetstream.publish("mail.email", b"1")
    assert await find_unconsumed(client, "mail") == Unconsumed()
    for subject in ("mail.other", "mail.other", "mail.transactional"):
        await jetstream.publish(subject, b"1")
    assert await find_unconsumed(client, "mail") == Unconsumed((("mail.other", 2), ("mail.transactional", 1)))
    await jetstream.add_consumer("mail", ConsumerConfig(durable_name="theirs", filter_subject="mail.other"))
    assert await find_unconsumed(client, "mail") == Unconsumed((("mail.transactional", 1),))


async def test_a_consumer_of_several_subjects_takes_each(client: Client) -> None:
    await stream(client)
    await client.jetstream().add_consumer(
        "mail", ConsumerConfig(durable_name="more", filter_subjects=["mail.a", "mail.b.>"])
    )
    for subject in ("mail.a", "mail.b.c", "mail.b"):
        await client.jetstream().publish(subject, b"1")
    assert await find_unconsumed(client, "mail") == Unconsumed((("mail.b", 1),))


async def test_subjects_without_end_are_not_all_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await stream(client)
    for number in range(15):
        await client.jetstream().publish(f"mail.other.{'x' * 150}.{number:02}", b"1")
    await client.jetstream().publish("mail.email", b"1")
    found = await find_unconsumed(client, "mail")
    assert (len(found.subjects), found.others, found.messages) == (10, 5, 15)
    assert all(len(subject) <= 100 for subject, _ in found.subjects)
    monkeypatch.setattr(unconsumed, "MOST_SUBJECTS", 10)
    assert await find_unconsumed(client, "mail") == Unconsumed(others=15)
