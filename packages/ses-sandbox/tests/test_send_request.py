"""SendEmail requests: whatever comes is either taken or refused with an AWS error."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ses_sandbox.aws.errors import AwsError
from ses_sandbox.ses.send_request import parse_send_request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def request(**changes: Any) -> dict[str, Any]:
    return {
        "FromEmailAddress": "a@example.com",
        "Destination": {"ToAddresses": ["b@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
    } | changes


@settings(max_examples=300)
@given(st.sampled_from(["FromEmailAddress", "Destination", "Content", "EmailTags", "ConfigurationSetName"]), JSON)
def test_any_member_of_any_type(name: str, value: Any) -> None:
    try:
        parsed = parse_send_request(orjson.dumps(request(**{name: value})))
    except AwsError as error:
        assert error.status == 400  # noqa: PT017 - refusing is as good as taking
    else:
        assert parsed.recipients


@given(JSON)
def test_any_subject_and_header(value: Any) -> None:
    simple = {"Subject": {"Data": value}, "Body": {"Text": {"Data": "t"}}, "Headers": [{"Name": "X", "Value": value}]}
    try:
        parsed = parse_send_request(orjson.dumps(request(Content={"Simple": simple})))
    except AwsError:
        return
    assert isinstance(parsed.subject, str)


def headers(*pairs: tuple[str, str]) -> dict[str, Any]:
    simple = {
        "Subject": {"Data": "s"},
        "Body": {"Text": {"Data": "t"}},
        "Headers": [{"Name": name, "Value": value} for name, value in pairs],
    }
    return request(Content={"Simple": simple})


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (headers(*[("X", "y")] * 16), "Header count exceeds 15"),
        (headers(("X Y", "z")), "Invalid header name"),
        (headers(("X" * 127, "z")), "Invalid header name"),
        (headers(("X", "a\r\nBcc: b@example.com")), "Invalid value of header X"),
        (headers(("X", "z" * 996)), "Invalid value of header X"),
        (headers(("X", "ü")), "Invalid value of header X"),
        (request(EmailTags=[{"Name": "a", "Value": ""}]), "Invalid tag value"),
        (request(EmailTags=[{"Name": "a", "Value": "b" * 257}]), "Invalid tag value"),
        (request(EmailTags=[{"Name": "a", "Value": "b"}] * 2), "Duplicate tag name"),
        (request(Content={"Raw": {"Data": "%"}}), "not base64"),
        (request(Content={"Simple": {"Subject": {"Data": "a\nb"}, "Body": {}}}), "line break"),
    ],
)
def test_limits(document: dict[str, Any], text: str) -> None:
    with pytest.raises(AwsError, match=text):
        parse_send_request(orjson.dumps(document))


def test_the_uuid_is_the_tag_else_the_header() -> None:
    tagged = headers(("x-request-id", "header")) | {"EmailTags": [{"Name": "uuid", "Value": "tag"}]}
    assert parse_send_request(orjson.dumps(tagged)).uuid == "tag"
    assert parse_send_request(orjson.dumps(headers(("x-request-id", "header")))).uuid == "header"
    assert parse_send_request(orjson.dumps(request())).uuid is None
