"""What a wrong value is called: in words of the wire, without types and classes of Python."""

import json
import re
from typing import Any

import pytest

from email_consumer.api.new_messages import NewMessages
from email_consumer.message.model import EmailMessage, UndecodableError, decode
from email_consumer.web.errors import ApiError
from email_consumer.web.routing import parse_body
from tests.unit.message.forms import MAIL, read

WRONG: list[Any] = [7, -1.5, True, "x\r\ny", "\0", "x" * 70_000, ["\0"], [[]], [{}], {"a": {}}, {"a": 1}, {"": ""}]
OF_PYTHON = re.compile(r"Input should|instance of|tuple|dictionary|should match|after validation|<\w+\.|\bNone\b")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"uuid": 7}, "uuid: must be text"),
        ({"uuid": "u" * 300}, "uuid: must have at most 256 characters"),
        ({"uuid": ""}, "uuid: must not be empty"),
        ({"topic_id": "t" * 257}, "topic_id: must have at most 256 characters"),
        ({"cc": 7}, "cc: must be a list"),
        ({"tags": 7}, "tags: must be a map"),
        ({"attachments": [7]}, "attachments.0: must be a map"),
        ({"track_opens": "perhaps"}, "track_opens: must be true or false"),
        ({"tenant": "a b"}, "tenant: must be 1 to 64 of A-Z a-z 0-9 _ -"),
        ({"unsubscribe_group": "a b"}, "unsubscribe_group: must be 1 to 64 of A-Z a-z 0-9 _ . -"),
        ({"lane": "fast"}, "lane: must be 'transactional' or 'bulk'"),
        (
            {"list_unsubscribe": 7},
            "list_unsubscribe: is neither true nor false nor made of links that begin with https:, http: or mailto:",
        ),
    ],
)
def test_it_is_said_in_plain_words(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UndecodableError) as caught:
        read("map", **fields)
    assert str(caught.value) == said


def test_bytes_that_are_no_text_are_called_so() -> None:
    with pytest.raises(UndecodableError, match=r"^subject: must be text in UTF-8$"):
        read("map", subject=b"\xff")


@pytest.mark.parametrize("field", EmailMessage.model_fields)
def test_no_field_speaks_of_python(field: str) -> None:
    said = [_said(field, wrong) for wrong in WRONG]
    assert [text for text in said if text and (not text.startswith(field) or OF_PYTHON.search(text))] == []
    assert any(said)


def _said(field: str, wrong: object) -> str:
    """Empty if it is accepted."""
    try:
        decode(json.dumps(MAIL | {field: wrong}).encode())
    except UndecodableError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"text"'])
def test_a_body_that_is_no_object_is_called_so(body: bytes) -> None:
    with pytest.raises(ApiError, match=r"^The body must be a JSON object\.$") as caught:
        parse_body(body, NewMessages)
    assert caught.value.status == 422
