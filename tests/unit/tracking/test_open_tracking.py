"""Which mail gets a pixel, where it goes, and what its token says."""

import re

import pytest

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_queue import ORIGIN
from email_consumer.tracking.open_tracking import OpenTracking, with_pixel
from email_consumer.tracking.tokens import OpenTokens
from tests.factories import mail

TOKENS = OpenTokens(LinkSecrets("secret"))
PIXEL = '<img src="http://x/?a=1&amp;b=2" width="1" height="1" alt="" border="0">'
API = {ORIGIN: "api"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<html><body>Hi", "</body></html>"),
        ("<BODY>Hi", "</BODY >"),
        ("<body>a</body>b", "</Body></html>\n"),
        ("İ" * 5000, "</body>"),  # its lower case is longer than itself
        ("x" * 5000, "</body>" + "y" * 5000),
        ("just text", ""),
        ("", ""),
        ("<bodyguard></bodyguard>", ""),
    ],
)
def test_the_pixel_stands_before_the_last_end_of_the_body(before: str, after: str) -> None:
    assert with_pixel(before + after, "http://x/?a=1&b=2") == before + PIXEL + after


@pytest.mark.parametrize(
    ("mode", "field", "headers", "tracked"),
    [
        ("api", None, API, True),
        ("api", None, {}, False),
        ("api", None, {ORIGIN: "nats"}, False),
        ("api", False, API, False),
        ("api", True, {}, True),
        ("all", None, {}, True),
        ("all", False, {}, False),
        ("off", None, API, False),
        ("off", True, API, False),
    ],
)
def test_mode_and_mail_decide(mode: str, field: bool | None, headers: dict[str, str], tracked: bool) -> None:
    tracking = OpenTracking(mode, TOKENS, "https://mail.example.com")  # type: ignore[arg-type]
    message = mail(track_opens=field)
    composed = tracking.compose(message, headers)
    assert (composed.body != "b") is tracked
    assert composed.model_copy(update={"body": "b"}) == message


def test_a_mail_of_text_alone_gets_no_pixel() -> None:
    message = mail(body=None, text="t")
    assert OpenTracking("all", TOKENS, "https://mail.example.com").compose(message, API) is message


@pytest.mark.parametrize("uuid", ["3f1c", "ü strange \n one", "x" * 256])
def test_the_pixel_leads_back_to_the_mail(uuid: str) -> None:
    message = mail(uuid=uuid)
    body = OpenTracking("all", TOKENS, "https://mail.example.com").compose(message, {}).body
    found = re.search(r'src="https://mail\.example\.com/v1/events/open\?request_id=([A-Za-z0-9_.-]+)"', body)
    assert found
    assert TOKENS.read(found[1]) == message.tag


@pytest.mark.parametrize(
    "token", ["", "42", "u-1", "u-1.", ".", "u-2." + TOKENS.sign("u-1").split(".")[1], "ü.é", "\0"]
)
def test_what_we_did_not_sign_is_nothing(token: str) -> None:
    assert TOKENS.read(token) is None
    assert OpenTokens(LinkSecrets("another secret")).read(TOKENS.sign("u-1")) is None
