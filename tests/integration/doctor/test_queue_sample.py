"""Doctor on the mail that waits, published for real."""

from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path

import msgpack
import nats
import pytest
from nats.aio.client import Client

from email_consumer.doctor.finding import Finding, Severity
from email_consumer.doctor.queue_sample import check_waiting_mail
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology
from tests.acceptance.publisher import as_array, as_map
from tests.servers.nats import NatsServer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path) as server:
        client = await nats.connect(server.url)
        topology = Topology(
            client,
            MailStream(
                stream="messages",
                subject="messages.email",
                consumer="email-processor",
                ack_wait=30,
                concurrency=500,
                replicas=1,
            ),
        )
        await topology.ensure()
        yield client
        await client.close()


async def look(client: Client, **names: str) -> Finding:
    given = {"stream": "messages", "subject": "messages.email", "consumer": "email-processor"} | names
    finding = await check_waiting_mail(client, **given, zone=UTC)
    assert finding.check == "queue.waiting"
    assert finding.fix or finding.severity in {Severity.OK, Severity.SKIPPED}
    return finding


async def publish(client: Client, *payloads: bytes, subject: str = "messages.email") -> None:
    for payload in payloads:
        await client.jetstream().publish(subject, payload)


async def test_an_empty_queue(client: Client) -> None:
    assert (await look(client)).text == "No mail is waiting."
    assert (await look(client, stream="other")).severity is Severity.SKIPPED


async def test_mail_that_can_be_read(client: Client) -> None:
    await publish(client, as_map("u-1"), as_array("u-2"))
    finding = await look(client)
    assert finding.severity is Severity.OK
    assert finding.text == "2 of the 2 waiting messages were checked: each can be read."


async def test_what_would_be_refused_is_named_with_its_reason_and_stays_where_it_is(client: Client) -> None:
    await publish(
        client,
        as_map("u-1"),
        b"\xc1",
        as_map("u-2", email="nobody"),
        as_map("u-3", email="no one"),
        as_map("u-4", schedule_at="2099-01-01T00:00:00Z"),
        as_map("u-1", email="another@example.com"),
    )
    finding = await look(client)
    assert finding.severity is Severity.WARNING
    assert "6 of the 6 waiting messages were checked, and 5 will be refused" in finding.text
    assert "(2 messages, such as 3)" in finding.text
    assert "schedule_at" in finding.text
    assert "the uuid of another one that waits, which goes to other recipients (message 6)" in finding.text
    info = await client.jetstream().consumer_info("messages", "email-processor")
    assert (info.num_pending, info.num_ack_pending) == (6, 0)


async def test_a_long_queue_is_looked_at_from_its_front_to_its_end_in_a_bounded_number_of_looks(client: Client) -> None:
    await publish(client, *(as_map(f"u-{number}") for number in range(999)), b"\xc1 the last one")
    finding = await look(client)
    assert "200 of the 1,000 waiting messages were checked, and 1 will be refused" in finding.text
    assert "(message 1000)" in finding.text


async def test_large_mail_is_not_read_without_end(client: Client) -> None:
    await publish(client, *(as_map(f"u-{number}", body="x" * 1_000_000) for number in range(50)))
    finding = await look(client)
    assert int(finding.text.partition(" ")[0]) < 40


async def test_other_subjects_and_settled_mail_are_ignored(client: Client) -> None:
    await publish(client, b"\xc1", subject="messages.other")
    await publish(client, b"\xc1", as_map("u-1"))
    subscription = await client.jetstream().pull_subscribe_bind("email-processor", "messages")
    [message] = await subscription.fetch(1)
    await message.ack_sync()
    assert (await look(client)).text == "1 of the 1 waiting messages were checked: each can be read."


async def test_many_reasons_are_cut(client: Client) -> None:
    fields = ["email", "subject", "body", "topic_id", "cc", "bcc", "headers", "tags"]
    await publish(
        client,
        *(
            msgpack.packb({"uuid": f"u-{name}", "email": "a@example.com", "subject": "s", "body": "b", name: 1.5})
            for name in fields
        ),
    )
    finding = await look(client)
    assert f"and {len(fields)} will be refused" in finding.text
    assert "; 3 other reasons." in finding.text
