"""The Python client against the real daemon, with the sandbox's events."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from email_consumer_client import AccessError, AsyncClient, Attachment, Client, InvalidRequestError, Message
from email_consumer_client.nats import AsyncNatsPublisher, NatsPublisher
from tests.acceptance.clients.installation import Installation

_BOUNCES = "bounce@simulator.amazonses.com"


async def test_from_http_to_the_bounce(installation: Installation) -> None:
    async with AsyncClient(installation.url, installation.api_key) as client:
        messages = [
            Message(to=_BOUNCES, subject="Hello", body="<p>Hi</p>", topic_id="t"),
            Message(
                to=["Ann <ann@example.com>", "ann@example", "bob@example.com"],
                subject="Grüße",
                text="Hi",
                topic_id="t",
                attachments=[Attachment(filename="a.txt", content=b"a file", content_type="text/plain")],
            ),
        ]
        accepted = await client.send(*messages, idempotency_key="once")
        again = await client.send(*messages, idempotency_key="once")
        assert again == accepted
        bounced, ann, invalid, bob = accepted.ids
        assert (invalid, len({bounced, ann, bob} - {None})) == (None, 3)
        assert [(each.message, each.email) for each in accepted.refused] == [(1, 1)]
        mail = await installation.mail_until(
            str(bounced), lambda mail: any(each.kind == "Bounce" for each in mail.results)
        )
        assert (mail.status, mail.state, mail.email, mail.topic_id) == ("Sent", "bounced", _BOUNCES, "t")
        assert mail.message_id is not None
        await installation.mail_until(str(bob), lambda mail: mail.status == "Sent")
        topic = await client.topic("t")
        assert (topic.request_counts["Sent"], topic.result_counts["Bounce"]) == (3, 1)
        assert [each.email async for each in client.mails(topic_id="t", state="bounced")] == [_BOUNCES]
    event = await installation.event("bounced", str(bounced))
    assert (event.email, event.topic_id, event.message_id) == (_BOUNCES, "t", mail.message_id)
    assert event.bounce is not None
    assert event.bounce.type == "Permanent"
    received = await installation.received("ann@example.com")
    assert received["subject"] == "Grüße"


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_from_nats_to_the_bounce(installation: Installation, kind: str) -> None:
    message = Message(uuid="order-1", to=_BOUNCES, subject="Hello", body="<p>Hi</p>", lane="bulk")
    if kind == "sync":

        def publish() -> list[bool]:
            with NatsPublisher(installation.nats_url) as publisher:
                return [publisher.publish(message)[0].duplicate for _ in range(2)]

        assert await asyncio.to_thread(publish) == [False, True]
    else:
        async with AsyncNatsPublisher(installation.nats_url) as publisher:
            assert [(await publisher.publish(message))[0].duplicate for _ in range(2)] == [False, True]
    mail = await installation.mail_until("order-1", lambda mail: any(each.kind == "Bounce" for each in mail.results))
    assert (mail.status, mail.state, mail.raw["source"]) == ("Sent", "bounced", "nats")
    assert (await installation.event("bounced", "order-1")).recipients == [_BOUNCES]


async def test_a_topic_is_cancelled(installation: Installation) -> None:
    def use() -> tuple[int, int, bool]:
        later = datetime.now(UTC) + timedelta(days=1)
        with Client(installation.url, installation.api_key) as client:
            accepted = client.send(
                Message(to=["a@example.com", "b@example.com"], subject="s", body="b", topic_id="t", scheduled_at=later)
            )
            assert accepted.scheduled
            receipt = client.cancel("t")
            assert client.topic("t").cancellation == receipt
            return receipt.cancelled, receipt.sent, receipt.final

    assert await asyncio.to_thread(use) == (2, 0, True)


async def test_errors_in_the_words_of_the_daemon(installation: Installation) -> None:
    async with AsyncClient(installation.url, "wrong") as client:
        with pytest.raises(AccessError, match="key"):
            await client.topic("t")
    async with AsyncClient(installation.url, installation.api_key) as client:
        with pytest.raises(InvalidRequestError, match="subject") as raised:
            await client.send(Message(to="a@example.com", subject="two\nlines", body="b"))
        assert raised.value.status == 422
        assert "messages.0.subject" in raised.value.fields[0]
