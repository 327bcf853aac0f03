"""Texts as headers carry them: what is encoded, and how long each encoded word is (RFC 2047, section 2)."""

from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_consumer.message.address import parse_address
from email_consumer.message.encoded_words import header_text
from email_consumer.message.model import UndecodableError, from_value

_LONGEST_WORD = 75
_HEADER = 996
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300)


def mail(**fields: object) -> dict[str, object]:
    return {"uuid": "u-1", "email": "you@example.com", "subject": "Hi", "body": "<p>Hi</p>"} | fields


@settings(deadline=None)
@given(TEXT)
def test_every_text_comes_back_from_words_of_the_allowed_length(text: str) -> None:
    written = header_text(text)
    assert written.isascii()
    if written != text:
        assert all(len(word) <= _LONGEST_WORD for word in written.split(" "))
        assert str(make_header(decode_header(written))) == text


@pytest.mark.parametrize("text", ["plain", "a, <b> =?c?=", "z" * 900])
def test_printable_ascii_is_left_alone(text: str) -> None:
    assert header_text(text) == text


@pytest.mark.parametrize(
    "name", ["Großhändler für Äpfel, Öl & Übergrößen aller Art, Straße 1", "東京都" * 40, "😀" * 100]
)
def test_a_long_display_name_is_several_words(name: str) -> None:
    written = str(parse_address(f'"{name}" <you@example.com>'))
    words = written.removesuffix(" <you@example.com>").split(" ")
    assert len(words) > 1
    assert all(len(word) <= _LONGEST_WORD for word in words)
    assert str(make_header(decode_header(" ".join(words)))) == name


def test_the_limit_of_a_header_counts_what_is_sent() -> None:
    name = "X-Note"
    room = _HEADER - len(name)
    from_value(mail(headers={name: "z" * room}))
    for too_long in ("z" * (room + 1), "東" * 300):  # 300 characters, over a thousand as encoded words
        with pytest.raises(UndecodableError, match=r"headers: 'X-Note'.*996"):
            from_value(mail(headers={name: too_long}))
    fits = "é" * 150
    assert len(header_text(fits)) > 2 * len(fits)
    from_value(mail(headers={name: fits}))
