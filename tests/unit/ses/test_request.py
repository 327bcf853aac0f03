import base64
import json
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from email_consumer.message.model import EmailMessage, from_value
from email_consumer.ses.request import PATH, RequestWriter

_NEWEST = Path(__file__).parents[3] / "packages" / "ses-sandbox" / "tests" / "newest_model.json"
MODEL = ServiceModel(json.loads(_NEWEST.read_bytes())["model"], "sesv2")
"""Of the newest botocore; aioboto3 pins an older one, whose SendEmail has fewer members."""
SEND_EMAIL = MODEL.operation_model("SendEmail")
assert SEND_EMAIL.input_shape is not None
INPUT = SEND_EMAIL.input_shape
WRITER = RequestWriter(from_email="Shop <shop@example.com>", configuration_set="events", instance="staging")

LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
TAGS = st.dictionaries(
    st.text("abcXYZ-1", min_size=1, max_size=9), st.text("abc_-9", min_size=1, max_size=9), max_size=48
)
PLAIN = {"uuid", "email", "subject", "body", "text", "tenant"}
ADDRESSES = st.lists(
    st.sampled_from(["a@example.com", "Jürgen <b@bücher.example>", '"C, Inc." <c@Example.ORG>']), max_size=3
)
MESSAGES = st.fixed_dictionaries(
    {
        "uuid": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20),
        "email": st.sampled_from(["you@example.com", "Ünal <you@example.com>"]),
        "subject": LINE,
        "body": st.text(st.characters(exclude_categories=["Cs"])),
    },
    optional={
        "text": st.text(st.characters(exclude_categories=["Cs"])),
        "from_email": st.just("Other <other@example.com>"),
        "reply_to": ADDRESSES,
        "cc": ADDRESSES,
        "bcc": ADDRESSES,
        "headers": st.dictionaries(st.sampled_from(["X-One", "X-Two"]), LINE.filter(bool)),
        "attachments": st.lists(
            st.fixed_dictionaries(
                {"filename": st.just("a.pdf"), "content": st.binary()},
                optional={"content_type": st.just("application/pdf"), "content_id": st.just("logo")},
            ),
            max_size=2,
        ),
        "tags": TAGS,
        "configuration_set": st.just("other"),
        "track_opens": st.booleans(),
        "track_clicks": st.booleans(),
        "lane": st.sampled_from(["bulk", "transactional"]),
        "expires_at": st.just("2035-01-01T00:00:00Z"),
        "tenant": st.sampled_from(["acme", "Z-9_" * 16]),
        "list_unsubscribe": st.sampled_from(["https://example.com/u/1", "<mailto:u@example.com>"]),
    },
)


@given(MESSAGES | MESSAGES.map(lambda fields: {name: fields[name] for name in PLAIN & fields.keys()}))
def test_a_body_from_the_template_is_what_its_parameters_give(fields: dict[str, object]) -> None:
    message = from_value(fields)
    assert WRITER.body(message) == orjson.dumps(WRITER.parameters(message))


def sent(**fields: object) -> dict[str, Any]:
    value = {"uuid": "u-1", "email": "you@example.com", "subject": "Hi", "body": "<p>Hi</p>"} | fields
    parsed: dict[str, Any] = json.loads(WRITER.body(from_value(value)))
    return parsed


def simple(**fields: object) -> dict[str, Any]:
    content: dict[str, Any] = sent(**fields)["Content"]["Simple"]
    return content


def for_botocore(message: EmailMessage) -> dict[str, Any]:
    """The same parameters as a caller of botocore gives them: attachments as bytes."""
    parameters = WRITER.parameters(message)
    for attachment in parameters["Content"]["Simple"].get("Attachments", []):
        attachment["RawContent"] = base64.b64decode(attachment["RawContent"])
    return parameters


unhurried = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@unhurried
@given(MESSAGES)
def test_the_body_is_what_botocore_would_write(value: dict[str, object]) -> None:
    message = from_value(value)
    parameters = for_botocore(message)
    assert not ParamValidator().validate(parameters, INPUT).has_errors()
    request = create_serializer("rest-json").serialize_to_request(parameters, SEND_EMAIL)
    assert (request["method"], request["url_path"]) == ("POST", PATH)
    assert json.loads(WRITER.body(message)) == json.loads(request["body"])


@unhurried
@given(MESSAGES)
def test_html_is_unchanged_and_header_values_are_ascii(value: dict[str, object]) -> None:
    content = simple(**value)
    parts = {name: part["Data"] for name, part in content["Body"].items()}
    text = {"Text": value["text"]} if value.get("text") else {}
    assert parts == ({"Html": value["body"]} if value["body"] or not text else {}) | text
    assert content["Subject"]["Data"] == value["subject"]
    for header in content["Headers"]:
        assert header["Value"].isascii()
        assert header["Value"].isprintable()


def test_the_smallest_mail_carries_what_finds_its_events_again() -> None:
    assert sent() == {
        "FromEmailAddress": "Shop <shop@example.com>",
        "Destination": {"ToAddresses": ["you@example.com"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Hi", "Charset": "UTF-8"},
                "Body": {"Html": {"Data": "<p>Hi</p>", "Charset": "UTF-8"}},
                "Headers": [{"Name": "X-Request-ID", "Value": "u-1"}],
            }
        },
        "EmailTags": [{"Name": "uuid", "Value": "u-1"}, {"Name": "instance", "Value": "staging"}],
        "ConfigurationSetName": "events",
    }


def text_only(**fields: object) -> dict[str, Any]:
    writer_sees = from_value({"uuid": "u-1", "email": "you@example.com", "subject": "Hi", "text": "Hi!", **fields})
    content: dict[str, Any] = json.loads(WRITER.body(writer_sees))["Content"]["Simple"]
    return content


@pytest.mark.parametrize("fields", [{}, {"body": ""}])
def test_a_mail_of_text_alone_has_no_html_part(fields: dict[str, object]) -> None:
    assert text_only(**fields)["Body"] == {"Text": {"Data": "Hi!", "Charset": "UTF-8"}}


def test_an_empty_text_is_no_part() -> None:
    assert simple(text="")["Body"].keys() == {"Html"}


def test_the_message_overrides_the_defaults() -> None:
    body = sent(
        from_email="other@example.com", configuration_set="other", reply_to="r@example.com", tags={"kind": "bill"}
    )
    assert body["FromEmailAddress"] == "other@example.com"
    assert body["ConfigurationSetName"] == "other"
    assert body["ReplyToAddresses"] == ["r@example.com"]
    assert body["EmailTags"][2:] == [{"Name": "kind", "Value": "bill"}]


def test_each_recipient_lands_in_its_own_list() -> None:
    body = sent(email="a@example.com", cc=["b@example.com", "c@example.com"], bcc="d@example.com")
    assert body["Destination"] == {
        "ToAddresses": ["a@example.com"],
        "CcAddresses": ["b@example.com", "c@example.com"],
        "BccAddresses": ["d@example.com"],
    }


def test_header_values_beyond_ascii_become_encoded_words() -> None:
    text = "Größe: ärgerlich " * 8
    value = simple(headers={"X-Note": text})["Headers"][1]["Value"]
    assert str(make_header(decode_header(value))) == text


@pytest.mark.parametrize(
    ("given_link", "header", "one_click"),
    [
        ("https://example.com/u/1", "<https://example.com/u/1>", True),
        ("mailto:u@example.com", "<mailto:u@example.com>", False),
        ("<mailto:u@example.com>, <https://example.com/u>", "<mailto:u@example.com>, <https://example.com/u>", True),
        ("http://example.com/u", "<http://example.com/u>", False),
    ],
)
def test_list_unsubscribe(given_link: str, header: str, one_click: bool) -> None:
    headers = {pair["Name"]: pair["Value"] for pair in simple(list_unsubscribe=given_link)["Headers"]}
    assert headers["List-Unsubscribe"] == header
    assert headers.get("List-Unsubscribe-Post") == ("List-Unsubscribe=One-Click" if one_click else None)


def test_an_attachment_with_a_content_id_is_inline() -> None:
    plain, inline = simple(
        attachments=[
            {"filename": "a.pdf", "content": b"\x00\xff", "content_type": "application/pdf"},
            {"filename": "logo.png", "content": b"png", "content_type": "image/png", "content_id": "logo"},
        ]
    )["Attachments"]
    assert (plain["ContentDisposition"], plain["RawContent"]) == ("ATTACHMENT", "AP8=")
    assert (inline["ContentDisposition"], inline["ContentId"]) == ("INLINE", "logo")


@pytest.mark.parametrize(
    ("fields", "tracking"),
    [
        ({}, None),
        ({"track_opens": False}, {"OpenTrackingEnabled": "DISABLED"}),
        ({"track_opens": True}, {"OpenTrackingEnabled": "ENABLED"}),
        ({"track_clicks": False, "trackOpens": True}, {"OpenTrackingEnabled": "ENABLED", "ClickTrackingEnabled": "DISABLED"}),
    ],
)  # fmt: skip
def test_a_mail_overrides_what_ses_tracks(fields: dict[str, object], tracking: dict[str, str] | None) -> None:
    assert sent(**fields).get("ConfigurationOverrides", {}).get("Tracking") == tracking


LIMITED = RequestWriter(
    from_email="shop@example.com",
    configuration_set="events",
    instance="i",
    delivery_limits=[(3600, "resets"), (300, "codes")],
)


@pytest.mark.parametrize(
    ("seconds", "fields", "expected"),
    [
        (-5, {}, "codes"),
        (200, {}, "codes"),
        (299, {}, "codes"),
        (400, {}, "resets"),
        (3590, {}, "resets"),
        (3700, {}, "events"),
        (200, {"lane": "bulk"}, "events"),
        (200, {"lane": None}, "events"),
        (200, {"configuration_set": "mine"}, "mine"),
        (None, {}, "events"),
    ],
)
def test_mail_that_expires_takes_the_tightest_set_that_covers_the_time_left(
    seconds: int | None, fields: dict[str, object], expected: str
) -> None:
    expiry = {} if seconds is None else {"expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}
    value = {"uuid": "u-1", "email": "you@example.com", "subject": "Hi", "body": "b", "lane": "transactional"}
    written = json.loads(LIMITED.body(from_value(value | expiry | fields)))
    assert written["ConfigurationSetName"] == expected
