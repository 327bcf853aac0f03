"""Events, and webhooks that carry them."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from email_consumer_client import Bounce, Event, UnexpectedAnswerError, WebhookError, parse_event, verify_webhook

_DOCUMENT = {
    "id": "evt_1",
    "type": "bounced",
    "at": "2026-11-28T09:00:00.123Z",
    "uuid": "u-1",
    "state": "bounced",
    "topic_id": "t",
    "lane": "bulk",
    "tenant": "acme",
    "email": "a@example.com",
    "recipients": ["a@example.com"],
    "message_id": "ses-1",
    "attempt": 1,
    "source": "nats",
    "reason": "no such user",
    "bounce": {"type": "Permanent", "subtype": "General", "diagnostic": "550", "later": 1},
    "machine": False,
    "trace_id": "0af7651916cd43dd8448eb211c80319c",
    "seq": 4711,
}
_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
_BODY = json.dumps(_DOCUMENT)


def _signed(body: str = _BODY, identifier: str = "evt_1", age: timedelta = timedelta()) -> dict[str, str]:
    at = datetime.now(UTC) - age
    signature = Webhook(_SECRET).sign(identifier, at, body)
    return {
        "Webhook-Id": identifier,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,c3RhbGU= {signature}",
        "Content-Type": "application/json",
    }


def test_every_field() -> None:
    assert parse_event(_BODY.encode()) == Event(
        id="evt_1",
        type="bounced",
        at=datetime(2026, 11, 28, 9, 0, 0, 123000, UTC),
        uuid="u-1",
        state="bounced",
        topic_id="t",
        lane="bulk",
        tenant="acme",
        email="a@example.com",
        recipients=["a@example.com"],
        message_id="ses-1",
        attempt=1,
        source="nats",
        reason="no such user",
        bounce=Bounce("Permanent", "General", "550"),
        machine=False,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        seq=4711,
        raw=_DOCUMENT,
    )


def test_what_a_newer_version_adds_is_kept() -> None:
    event = parse_event({"id": "evt_2", "type": "teleported", "at": "2026-11-28T09:00:00Z", "distance": 3})
    assert (event.type, event.raw["distance"], event.bounce, event.recipients) == ("teleported", 3, None, ())


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"{}", b'{"id": "e", "type": "sent"}', b'{"id": "e", "type": "sent", "at": 5}'],
    ids=str,
)
def test_what_is_no_event(data: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        parse_event(data)


def test_a_webhook_is_verified_and_parsed() -> None:
    assert verify_webhook(_SECRET, _signed(), _BODY.encode()) == parse_event(_BODY)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (_signed(), _BODY + " "),
        (_signed(age=timedelta(hours=1)), _BODY),
        (_signed(age=timedelta(hours=-1)), _BODY),
        (_signed() | {"webhook-timestamp": "soon"}, _BODY),
        (_signed() | {"webhook-signature": "v1"}, _BODY),
        (_signed() | {"webhook-signature": "v1,%"}, _BODY),
        (_signed() | {"webhook-signature": "v2,c3RhbGU="}, _BODY),
        (_signed() | {"webhook-signature": ""}, _BODY),
        ({}, _BODY),
        (_signed(identifier="evt_9"), _BODY),
        (_signed("{}"), "{}"),
        (_signed("no JSON"), "no JSON"),
    ],
    ids=[
        "changed",
        "old",
        "early",
        "time",
        "half a signature",
        "no base64",
        "another version",
        "empty",
        "no headers",
        "another id",
        "no event",
        "no JSON",
    ],
)
def test_what_is_no_webhook_of_ours(headers: dict[str, str], body: str) -> None:
    with pytest.raises(WebhookError):
        verify_webhook(_SECRET, headers, body.encode())


def test_a_body_that_is_no_text() -> None:
    with pytest.raises(WebhookError):
        verify_webhook(_SECRET, _signed(), b"\xff")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é"])
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        verify_webhook(secret, _signed(), _BODY.encode())
