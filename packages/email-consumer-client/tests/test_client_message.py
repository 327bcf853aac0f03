"""A message, and what of it goes over the wire."""

from datetime import UTC, datetime

import pytest

from email_consumer_client import Attachment, Message
from email_consumer_client.message import as_json, as_map

_WHOLE = Message(
    to="Jane <jane@example.com>",
    subject="Hello",
    body="<p>Hi</p>",
    text="Hi",
    topic_id="t",
    from_email="shop@example.com",
    reply_to=["help@example.com"],
    cc=["c@example.com"],
    bcc=("b@example.com",),
    headers={"X-Kind": "order"},
    attachments=[Attachment(filename="a.txt", content=b"\x00\xff", content_type="text/plain", content_id="a")],
    tags={"team": "shop"},
    configuration_set="set",
    track_opens=False,
    track_clicks=True,
    scheduled_at=datetime(2030, 1, 1, 9, tzinfo=UTC),
    expires_at=datetime(2030, 1, 2, tzinfo=UTC),
    list_unsubscribe=True,
    unsubscribe_group="news",
    lane="transactional",
    tenant="acme",
    send_window="mon-fri 09:00-18:00",
    timezone="Asia/Seoul",
)
_SAME = {
    "subject": "Hello",
    "text": "Hi",
    "topic_id": "t",
    "from_email": "shop@example.com",
    "reply_to": ["help@example.com"],
    "cc": ["c@example.com"],
    "bcc": ["b@example.com"],
    "headers": {"X-Kind": "order"},
    "tags": {"team": "shop"},
    "configuration_set": "set",
    "track_opens": False,
    "track_clicks": True,
    "scheduled_at": "2030-01-01T09:00:00+00:00",
    "expires_at": "2030-01-02T00:00:00+00:00",
    "list_unsubscribe": True,
    "unsubscribe_group": "news",
    "lane": "transactional",
    "tenant": "acme",
    "send_window": "mon-fri 09:00-18:00",
    "timezone": "Asia/Seoul",
}


def test_every_field_over_http() -> None:
    file = {"filename": "a.txt", "content": "AP8=", "content_type": "text/plain", "content_id": "a"}
    assert as_json(_WHOLE) == _SAME | {
        "emails": ["Jane <jane@example.com>"],
        "content": "<p>Hi</p>",
        "attachments": [file],
    }


def test_every_field_over_nats() -> None:
    file = {"filename": "a.txt", "content": b"\x00\xff", "content_type": "text/plain", "content_id": "a"}
    assert as_map(_WHOLE, "u-1", "jane@example.com") == _SAME | {
        "uuid": "u-1",
        "email": "jane@example.com",
        "body": "<p>Hi</p>",
        "attachments": [file],
    }


def test_what_is_not_given_is_absent() -> None:
    message = Message(to="a@example.com", subject="s", text="t")
    assert as_map(message, "u", "a@example.com") == {"uuid": "u", "email": "a@example.com", "subject": "s", "text": "t"}


def test_an_empty_body_is_a_body() -> None:
    assert as_json(Message(to="a@example.com", subject="s", body=""))["content"] == ""


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"to": []}, "to:"),
        ({"body": None}, "body or text"),
        ({"to": ["a@example.com", "b@example.com"], "uuid": "u"}, "uuid:"),
        ({"scheduled_at": datetime(2030, 1, 1)}, "scheduled_at:"),  # noqa: DTZ001 - that is what is wrong
        ({"expires_at": datetime(2030, 1, 1)}, "expires_at:"),  # noqa: DTZ001 - the same
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_at_once(wrong: dict[str, object], says: str) -> None:
    given: dict[str, object] = {"to": "a@example.com", "subject": "s", "body": "b"}
    with pytest.raises(ValueError, match=says):
        Message(**given | wrong)  # type: ignore[arg-type]
