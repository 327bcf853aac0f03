"""Base64 as it is written in the world: with line breaks, in the alphabet for URLs, without padding."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_consumer.message.model import UndecodableError
from email_consumer.message.wire_format import from_base64
from tests.unit.message.forms import FORMS, read

CONTENT = bytes(range(256)) + b"\xfb\xff"
FORM = pytest.mark.parametrize("form", FORMS)


@FORM
@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(CONTENT).decode(),
        base64.encodebytes(CONTENT).decode(),
        base64.encodebytes(CONTENT).decode().replace("\n", "\r\n\t "),
        base64.urlsafe_b64encode(CONTENT).decode(),
        base64.b64encode(CONTENT).decode().rstrip("="),
        base64.urlsafe_b64encode(CONTENT).decode().rstrip("="),
    ],
    ids=["plain", "lines", "folded", "url-safe", "unpadded", "url-safe unpadded"],
)
def test_an_attachment_is_read(text: str, form: str) -> None:
    [attachment] = read(form, attachments=[{"filename": "a.bin", "content": text}]).attachments
    assert attachment.content == CONTENT


@FORM
@pytest.mark.parametrize("text", ["no base64!", "A", "AAAAA", "AA=A", "ÄÖÜ=", "data:;base64,AAAA"])
def test_what_is_none_is_refused(text: str, form: str) -> None:
    with pytest.raises(UndecodableError, match=r"^attachments.0.content: "):
        read(form, attachments=[{"filename": "a.bin", "content": text}])


@given(st.binary(), st.booleans(), st.booleans(), st.integers(1, 80))
def test_any_bytes_come_back(content: bytes, url_safe: bool, padded: bool, width: int) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(content).decode()
    text = text if padded else text.rstrip("=")
    assert from_base64("\n".join(text[at : at + width] for at in range(0, len(text), width))) == content
