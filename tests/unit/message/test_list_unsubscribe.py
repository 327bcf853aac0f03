"""`list_unsubscribe`: yes or no in any spelling, one link or several, or refused with the reason."""

import pytest

from email_consumer.message.list_unsubscribe import MAX_LENGTH
from email_consumer.message.model import UndecodableError, decode, encode
from tests.unit.message.forms import FORMS, read

FORM = pytest.mark.parametrize("form", FORMS)
LINK = "https://example.com/u?a=1,2&b=%C3%A9#x"


@FORM
@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        (" TRUE\n", True),
        ("  ", None),
        (LINK, f"<{LINK}>"),
        (f"  {LINK} ", f"<{LINK}>"),
        (f"<{LINK}>", f"<{LINK}>"),
        ("mailto:leave@example.com?subject=stop", "<mailto:leave@example.com?subject=stop>"),
        ("HTTPS://example.com/u", "<HTTPS://example.com/u>"),
        (f"<mailto:u@example.com>, <{LINK}>", f"<mailto:u@example.com>, <{LINK}>"),
        (f"<mailto:u@example.com>,<{LINK}>", f"<mailto:u@example.com>, <{LINK}>"),
        (f"mailto:u@example.com,\r\n {LINK}", f"<mailto:u@example.com>, <{LINK}>"),
        ([LINK, "mailto:u@example.com"], f"<{LINK}>, <mailto:u@example.com>"),
    ],
)
def test_read(value: object, meant: object, form: str) -> None:
    message = read(form, list_unsubscribe=value)
    assert message.list_unsubscribe == meant
    assert decode(encode(message)).list_unsubscribe == meant


@FORM
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("yes", "neither true nor false"),
        ("unsubscribe@example.com", "neither true nor false"),
        ("javascript:alert(1)", "neither true nor false"),
        ("https://", "neither true nor false"),
        ("https://example.com/a b", "neither true nor false"),
        ("https://example.com/\r\nBcc: b@example.com", "neither true nor false"),
        ("<https://example.com/a", "neither true nor false"),
        ("https://example.com/>, <x", "neither true nor false"),
        (f"<{LINK}>, soon", "neither true nor false"),
        ("https://bücher.example/", "beyond ASCII"),
        ("https://example.com/" + "x" * MAX_LENGTH, "820 characters; at most 800"),
        (",".join(["mailto:abc"] * 72), "1,006 characters; at most 800"),  # each gets brackets and a blank
        ({"url": LINK}, "neither true nor false"),
        (7, "neither true nor false"),
    ],
)
def test_refused(value: object, fault: str, form: str) -> None:
    with pytest.raises(UndecodableError, match=f"^list_unsubscribe.*{fault}"):
        read(form, list_unsubscribe=value)
