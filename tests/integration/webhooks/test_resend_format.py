"""Events in Resend's form: its official SDK verifies them, and finds the names and fields that it declares."""

import json
from pathlib import Path
from typing import Any

import pytest
import resend
from pydantic import TypeAdapter

from email_consumer.core.outcome import Rejected, Sent, Stopped, StopReason
from email_consumer.message.content import Content
from email_consumer.store.contents import keep_content
from email_consumer.webhooks.endpoint import Endpoint
from tests.factories import event
from tests.integration.webhooks.harness import Received, receiver, webhooks
from tests.waiting import until

_DECLARED = {
    "email.sent": resend.EmailSentEvent,
    "email.delivered": resend.EmailDeliveredEvent,
    "email.delivery_delayed": resend.EmailDeliveryDelayedEvent,
    "email.bounced": resend.EmailBouncedEvent,
    "email.complained": resend.EmailComplainedEvent,
    "email.opened": resend.EmailOpenedEvent,
    "email.clicked": resend.EmailClickedEvent,
    "email.failed": resend.EmailFailedEvent,
    "email.suppressed": resend.EmailSuppressedEvent,
}
_CLICK = {
    "ipAddress": "192.0.2.1",
    "link": "https://example.com/",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "userAgent": "B",
}


def _verified(endpoint: Endpoint, got: Received) -> dict[str, Any]:
    """As a program that uses Resend's SDK reads it."""
    names = {"id": "svix-id", "timestamp": "svix-timestamp", "signature": "svix-signature"}
    headers: Any = {name: got.headers[header] for name, header in names.items()}
    resend.Webhooks.verify({"payload": got.body, "headers": headers, "webhook_secret": endpoint.secret})
    with pytest.raises(ValueError, match="signature"):
        resend.Webhooks.verify({"payload": got.body + " ", "headers": headers, "webhook_secret": endpoint.secret})
    found: dict[str, Any] = json.loads(got.body)
    return found


async def test_events_have_resends_names_and_fields(path: Path) -> None:
    async with receiver() as hook, webhooks(path, sender="Default <default@example.com>") as site:
        endpoint = await site.add(hook.url, form="resend")
        await site.feedback.claim("u-1")
        content = Content.model_validate(
            {"subject": "Hello", "body": "b", "from_email": "Us <us@example.com>", "tags": {"a": "b"}}
        )
        async with site.feedback.database.transaction() as connection:
            number = await keep_content(connection, content, 0)
            await connection.execute("UPDATE email_requests SET content_id = ? WHERE uuid = 'u-1'", (number,))
        await site.feedback.finish(Sent("ses-1"))
        for kind, more in (
            ("Delivery", {}),
            ("DeliveryDelay", {}),
            ("Bounce", {"bouncedRecipients": [{"emailAddress": "jane@example.com", "diagnosticCode": "smtp; 550"}]}),
            ("Complaint", {}),
            ("Open", {}),
            ("Click", _CLICK),
        ):
            await site.feedback.take(event(kind, **more))
        await site.feedback.claim("u-2", email="joe@example.com")
        await site.feedback.finish(Rejected("not verified"), "u-2", email="joe@example.com")
        await site.feedback.finish(Stopped(StopReason.SUPPRESSED, "hard bounce"), "u-3")
        await site.feedback.finish(Stopped(StopReason.CANCELLED), "u-4")
        got = {each["type"]: each for each in [_verified(endpoint, each) for each in await hook.until(9)]}
        await until(lambda: all(row[4] for row in site.deliveries()))
        assert len(site.deliveries()) == len(got) == 9  # none of the mail that was cancelled

    for each in got.values():
        TypeAdapter(_DECLARED[each["type"]]).validate_python(each, strict=True)
    base = got["email.sent"]["data"]
    assert base == {
        "created_at": base["created_at"],
        "email_id": "u-1",
        "message_id": "ses-1",
        "from": "Us <us@example.com>",
        "to": ["Jane@example.com"],
        "subject": "Hello",
        "tags": {"a": "b"},
    }
    assert got["email.delivered"]["data"] == base | {"to": ["jane@example.com"]}
    assert got["email.bounced"]["data"]["bounce"] == {
        "type": "Permanent",
        "subType": "General",
        "message": "smtp; 550",
        "diagnosticCode": "smtp; 550",
    }
    assert got["email.clicked"]["data"]["click"] == _CLICK | {"ipAddress": ""}  # not kept
    assert got["email.failed"]["data"]["failed"] == {"reason": "not verified"}
    assert got["email.suppressed"]["data"]["suppressed"] == {"type": "suppressed", "message": "suppressed: hard bounce"}
    assert got["email.failed"]["data"]["from"] == ""  # its content was not kept


async def test_the_other_endpoints_get_the_usual_form_and_a_sender_is_filled_in(path: Path) -> None:
    async with receiver() as hook, receiver() as usual, webhooks(path, sender="default@example.com") as site:
        await site.add(hook.url, form="resend", types=frozenset({"sent"}))
        await site.add(usual.url)
        await site.feedback.claim("u-1")
        async with site.feedback.database.transaction() as connection:
            number = await keep_content(connection, Content.model_validate({"subject": "s", "body": "b"}), 0)
            await connection.execute("UPDATE email_requests SET content_id = ? WHERE uuid = 'u-1'", (number,))
        await site.feedback.finish(Sent("ses-1"))
        [resent], [standard] = await hook.until(1), await usual.until(1)
    assert resent.event["data"]["from"] == "default@example.com"
    assert (standard.event["type"], standard.event["uuid"]) == ("sent", "u-1")
    assert resent.headers["webhook-id"] == standard.headers["webhook-id"] == resent.headers["svix-id"]
    assert not [name for name in standard.headers if name.lower().startswith("svix")]
