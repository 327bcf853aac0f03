"""A content alone: what many mails share, validated once without any recipient."""

from datetime import UTC, datetime

import pytest

from email_consumer.message.model import (
    EmailMessage,
    UndecodableError,
    content_from,
    decode,
    encode_mail,
    from_value,
)

FIELDS: dict[str, object] = {
    "subject": "s",
    "body": "<p>b</p>",
    "text": "b",
    "cc": ("c@example.com",),
    "headers": {"X-A": "1"},
}
OWN: dict[str, object] = {
    "uuid": "u-1",
    "email": "anna@example.com",
    "topic_id": "t",
    "expires_at": datetime(2099, 1, 1, tzinfo=UTC),
}


def test_with_a_recipient_it_is_the_mail_that_a_publisher_would_have_written() -> None:
    assert decode(encode_mail(content_from(FIELDS), OWN)) == EmailMessage.model_validate(FIELDS | OWN)


def test_a_field_that_was_not_given_is_not_given_in_the_mail_either() -> None:
    mail = decode(encode_mail(content_from(FIELDS), {"uuid": "u-1", "email": "anna@example.com"}))
    assert mail.model_fields_set == FIELDS.keys() | {"uuid", "email"}


def test_its_hash_is_that_of_every_mail_with_this_content() -> None:
    content = content_from(FIELDS)
    for own in (OWN, {"uuid": "u-2", "email": "bea@example.com"}):
        assert from_value(FIELDS | own).fingerprint.content == content.content_hash


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subject": "s"}, "body: is missing, and so is text; a mail has one of them or both"),
        ({"body": "b"}, "subject: is required"),
        (
            FIELDS | {"cc": [f"{number}@example.com" for number in range(50)]},
            "email, cc and bcc: 51 recipients, SES takes at most 50",  # the main recipient, counts, too
        ),
    ],
)
def test_an_invalid_one_is_refused_as_the_mail_would_be(fields: dict[str, object], reason: str) -> None:
    for validate in (content_from, lambda content: from_value(content | OWN)):
        with pytest.raises(UndecodableError) as refused:
            validate(fields)
        assert str(refused.value) == reason


def test_a_copy_to_the_recipient_is_known_only_with_the_recipient() -> None:
    fields = FIELDS | {"cc": ["Anna@example.com", "c@example.com", "C@example.com"], "bcc": ["c@example.com"]}
    content = content_from(fields)
    assert (content.cc, content.bcc) == (("Anna@example.com", "c@example.com"), ())
    assert decode(encode_mail(content, OWN)).cc == ("c@example.com",)
