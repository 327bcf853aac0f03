"""What tells mails of one uuid apart, and what does not."""

import msgpack
import orjson
import pytest

from email_consumer.message.model import EmailMessage, decode, encode

MAIL: dict[str, object] = {"uuid": "u-1", "email": "anna@example.com", "subject": "s", "body": "<p>b</p>"}


def mail(**fields: object) -> EmailMessage:
    return decode(msgpack.packb({**MAIL, **fields}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cc": ["b@example.com", "c@example.com"]}, {"cc": ["c@example.com"], "bcc": ["b@example.com"]}),
        ({}, {"email": "Anna <ANNA@Example.COM>"}),
        ({}, {"email": "anna@example.com", "cc": ["Anna@example.com"]}),
        ({"email": "a@bücher.example"}, {"email": "a@xn--bcher-kva.example"}),
        ({}, {"email": '"anna"@example.com'}),
    ],
)
def test_the_same_recipients(one: dict[str, object], other: dict[str, object]) -> None:
    assert mail(**one).fingerprint.recipients == mail(**other).fingerprint.recipients


@pytest.mark.parametrize(
    "fields", [{"email": "bea@example.com"}, {"cc": ["bea@example.com"]}, {"bcc": "bea@example.com"}]
)
def test_other_recipients(fields: dict[str, object]) -> None:
    assert mail(**fields).fingerprint.recipients != mail().fingerprint.recipients
    assert mail(**fields).fingerprint.content == mail().fingerprint.content


@pytest.mark.parametrize(
    "fields",
    [{"subject": "S"}, {"body": ""}, {"text": "b"}, {"from_email": "f@example.com"}, {"headers": {"X-A": "1"}}],
)
def test_another_content(fields: dict[str, object]) -> None:
    assert mail(**fields).fingerprint.content != mail().fingerprint.content
    assert mail(**fields).fingerprint.recipients == mail().fingerprint.recipients


@pytest.mark.parametrize(
    "fields", [{"topic_id": "t"}, {"scheduled_at": "2099-01-01T00:00:00Z"}, {"cc": [], "headers": {}, "text": None}]
)
def test_the_same_content(fields: dict[str, object]) -> None:
    assert mail(**fields).fingerprint == mail().fingerprint


def test_no_wire_format_makes_a_difference() -> None:
    fields = {**MAIL, "headers": {"X-A": "1"}, "attachments": [{"filename": "f", "content": "Zg=="}]}
    forms = [msgpack.packb(fields), orjson.dumps(fields), msgpack.packb(dict(reversed(fields.items())))]
    assert len({decode(form).fingerprint for form in [*forms, encode(decode(forms[0]))]}) == 1
    assert decode(msgpack.packb(list(MAIL.values()))).fingerprint == mail().fingerprint
