"""A mail has a body, a text, or both; in the array form the body is one of four."""

import msgpack
import pytest

from email_consumer.message.model import UndecodableError, decode, encode, from_value

BASE = {"uuid": "u-1", "email": "you@example.com", "subject": "Hi"}


@pytest.mark.parametrize("fields", [{"text": "Hi!"}, {"text": "Hi!", "body": ""}])
def test_text_alone(fields: dict[str, str]) -> None:
    message = from_value(BASE | fields)
    assert message.text_only
    assert decode(encode(message)) == message


@pytest.mark.parametrize("fields", [{"body": "<p>Hi</p>"}, {"body": "<p>Hi</p>", "text": "Hi"}, {"body": ""}])
def test_with_html(fields: dict[str, str]) -> None:
    assert not from_value(BASE | fields).text_only


def test_an_empty_body_of_an_array_is_a_body() -> None:
    assert not decode(msgpack.packb([*BASE.values(), ""])).text_only


@pytest.mark.parametrize("fields", [{}, {"text": ""}])
def test_neither(fields: dict[str, str]) -> None:
    with pytest.raises(UndecodableError, match="body: is missing, and so is text"):
        from_value(BASE | fields)


def test_the_array_still_needs_four() -> None:
    with pytest.raises(UndecodableError, match="an array of 3 values"):
        decode(msgpack.packb([*BASE.values()]))
