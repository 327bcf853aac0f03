"""Django's messages, with anymail's attributes, as ours."""

from datetime import UTC, date, datetime
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from typing import Any

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives

import django_settings  # noqa: F401 - configures Django
from email_consumer_client import Attachment, Message, UnsupportedFeatureError
from email_consumer_client.django.mapping import as_message


def _email(kind: type[EmailMessage] = EmailMessage, **given: Any) -> Any:
    return kind(**{"subject": "Hello", "body": "Hi", "to": ["a@example.com"]} | given)


def _mapped(**attributes: Any) -> Message:
    email = _email()
    for name, value in attributes.items():
        setattr(email, name, value)
    return as_message(email, {})


def test_a_plain_mail() -> None:
    assert as_message(_email(), {}) == Message(
        to=["a@example.com"],
        subject="Hello",
        text="Hi",
        from_email="shop@example.com",
        reply_to=[],
        cc=[],
        bcc=[],
        attachments=[],
    )


def test_every_address() -> None:
    given: dict[str, Any] = {
        "from_email": "Shop <s@example.com>",
        "reply_to": ["r@example.com"],
        "headers": {"X-Kind": "order"},
    }
    message = as_message(_email(cc=["c@example.com"], bcc=["b@example.com"], **given), {})
    assert (message.from_email, message.reply_to) == ("Shop <s@example.com>", ["r@example.com"])
    assert (message.cc, message.bcc, message.headers) == (["c@example.com"], ["b@example.com"], {"X-Kind": "order"})


def test_headers_that_are_fields() -> None:
    message = as_message(_email(headers={"From": "f@example.com", "reply-to": "r@example.com", "X-Kind": 7}), {})
    assert (message.from_email, message.reply_to, message.headers) == (
        "f@example.com",
        ["r@example.com"],
        {"X-Kind": "7"},
    )


def test_text_and_html() -> None:
    email = _email(EmailMultiAlternatives)
    email.attach_alternative("<p>Hi</p>", "text/html")
    message = as_message(email, {})
    assert (message.text, message.body) == ("Hi", "<p>Hi</p>")


def test_html_alone() -> None:
    email = _email(body="<p>Hi</p>")
    email.content_subtype = "html"
    message = as_message(email, {})
    assert (message.text, message.body) == (None, "<p>Hi</p>")


def test_html_with_a_text_alternative() -> None:
    email = _email(EmailMultiAlternatives, body="<p>Hi</p>")
    email.content_subtype = "html"
    email.attach_alternative("Hi", "text/plain")
    message = as_message(email, {})
    assert (message.text, message.body) == ("Hi", "<p>Hi</p>")


def test_an_empty_mail() -> None:
    assert as_message(_email(body=""), {}).body == ""


def test_attachments() -> None:
    email = _email()
    email.attach("plan.pdf", b"%PDF", "application/pdf")
    email.attach("note.txt", "Grüße")
    email.attach(None, b"{}", "application/json")
    email.attach("forwarded.eml", EmailMessage("Old", "text", "f@example.com", ["t@example.com"]), "message/rfc822")
    pdf, note, nameless, forwarded = as_message(email, {}).attachments
    assert pdf == Attachment(filename="plan.pdf", content=b"%PDF", content_type="application/pdf")
    assert note == Attachment(filename="note.txt", content="Grüße".encode(), content_type="text/plain")
    assert nameless == Attachment(filename="attachment.json", content=b"{}", content_type="application/json")
    assert (forwarded.content_type, b"Subject: Old" in forwarded.content) == ("message/rfc822", True)


@pytest.mark.filterwarnings("ignore:MIMEBase attachments are deprecated")
def test_an_inline_image() -> None:
    image = MIMEApplication(b"\x89PNG", "octet-stream")
    image.replace_header("Content-Type", "image/png")
    image["Content-ID"] = "<logo>"
    image.add_header("Content-Disposition", "inline", filename="logo.png")
    email = _email(attachments=[image])
    assert as_message(email, {}).attachments == [
        Attachment(filename="logo.png", content=b"\x89PNG", content_type="image/png", content_id="logo")
    ]


def test_bcc_alone_gets_a_mail_each() -> None:
    message = as_message(_email(to=[], bcc=["a@example.com", "b@example.com"]), {})
    assert (message.to, message.bcc) == (["a@example.com", "b@example.com"], [])


def test_anymails_attributes() -> None:
    message = _mapped(
        tags=["welcome"], metadata={"order": 12}, track_opens=True, send_at=datetime(2030, 1, 1, tzinfo=UTC)
    )
    assert message.tags == {"order": "12", "tag": "welcome"}
    assert (message.track_opens, message.scheduled_at) == (True, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "given",
    [datetime(2030, 1, 1), date(2030, 1, 1), 1893423600, 1893423600.0],  # noqa: DTZ001 - a naive one is meant
    ids=["naive", "date", "int", "float"],
)
def test_forms_of_send_at(given: object) -> None:
    scheduled = _mapped(send_at=given).scheduled_at
    assert scheduled is not None
    assert scheduled.timestamp() == 1893423600  # midnight in Seoul


def test_esp_extra_and_defaults() -> None:
    email = _email()
    email.esp_extra = {"topic_id": "t", "lane": "bulk", "idempotency_key": "k"}
    message = as_message(email, {"lane": "transactional", "unsubscribe_group": "news", "track_opens": False})
    assert (message.topic_id, message.lane, message.unsubscribe_group, message.track_opens) == (
        "t",
        "bulk",
        "news",
        False,
    )


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"template_id": "t"}, "template_id"),
        ({"merge_data": {"a@example.com": {}}}, "merge_data"),
        ({"envelope_sender": "b@example.com"}, "envelope_sender"),
        ({"tags": ["a", "b"]}, "2 tags"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"esp_extra": {"topic": "t"}}, "unknown topic"),
        ({"extra_headers": {"To": "Everybody"}}, "header To"),
        ({"cc": ["c@example.com"], "to": []}, "cc without to"),
        ({"cc": ["c@example.com"], "to": ["a@example.com", "b@example.com"]}, "2 recipients"),
        ({"alternatives": [("BEGIN:VCALENDAR", "text/calendar")]}, "text/calendar"),
        ({"attachments": [MIMEMultipart()]}, "multipart/mixed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_expressed_is_said(attributes: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=says):
        _mapped(**attributes)
