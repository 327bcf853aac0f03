"""The backend as Django uses it, against an HTTP server."""

import logging
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, send_mail

from django_settings import HAS_MAILERS, backend, configured
from email_consumer_client import AccessError, UnreachableError, UnsupportedFeatureError
from email_consumer_client.django import EmailBackend, RecipientStatus
from scripted_server import ACCEPTED, Answer, ScriptedServer

_WRONG_KEY = Answer(401, {"error": {"code": "unauthorized", "message": "Invalid API key."}})

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated")  # the forms of older versions, which have to work, too


def test_send_mail() -> None:
    with ScriptedServer() as server, configured(server.url, defaults={"lane": "transactional"}):
        assert send_mail("Hello", "Hi", None, ["a@example.com"], html_message="<p>Hi</p>") == 1
    [asked] = server.asked
    assert asked.headers["x-api-key"] == "key"
    assert asked.message == {
        "emails": ["a@example.com"],
        "subject": "Hello",
        "text": "Hi",
        "content": "<p>Hi</p>",
        "from_email": "shop@example.com",
        "lane": "transactional",
    }


def test_the_status_of_each_recipient(caplog: pytest.LogCaptureFixture) -> None:
    refused = {"ids": ["u-1", None], "refused": [{"message": 0, "email": 1, "error": "no address"}]}
    email: Any = EmailMessage("s", "b", to=["Ann <a@example.com>", "b@example"])
    caplog.set_level(logging.WARNING)
    with ScriptedServer(Answer(200, ACCEPTED | refused)) as server, configured(server.url):
        assert email.send() == 1
    status = email.anymail_status
    assert (status.message_id, status.status) == ({"u-1", None}, {"queued", "invalid"})
    assert status.recipients == {
        "a@example.com": RecipientStatus("u-1", "queued"),
        "b@example": RecipientStatus(None, "invalid"),
    }
    assert caplog.messages == ["recipient 2 of 2 refused: no address"]


def test_the_uuid_of_the_only_recipient() -> None:
    email: Any = EmailMessage("s", "b", to=["a@example.com"])
    email.esp_extra = {"idempotency_key": "mine"}
    with ScriptedServer() as server, configured(server.url):
        email.send()
    assert (email.anymail_status.message_id, email.anymail_status.status) == ("u-1", {"queued"})
    assert server.asked[0].headers["idempotency-key"] == "mine"


def test_many_messages_share_a_connection() -> None:
    emails = [EmailMessage("s", "b", to=[to] if to else []) for to in ("a@example.com", "", "b@example.com")]
    with ScriptedServer() as server, configured(server.url), backend() as connection:
        assert connection.open() is False  # the block has opened it
        assert connection.send_messages(emails) == 2
    assert len(server.asked) == 2


def test_errors_are_raised() -> None:
    with (
        ScriptedServer(_WRONG_KEY) as server,
        configured(server.url),
        pytest.raises(AccessError, match="Invalid API key"),
    ):
        send_mail("s", "b", None, ["a@example.com"])
    with configured(server.url), pytest.raises(UnreachableError):
        send_mail("s", "b", None, ["a@example.com"])


def test_what_cannot_be_expressed_is_raised_and_nothing_sent() -> None:
    email = EmailMessage("s", "b", to=["a@example.com", "b@example.com"], cc=["c@example.com"])
    with ScriptedServer() as server, configured(server.url), pytest.raises(UnsupportedFeatureError):
        email.send()
    assert server.asked == []


@pytest.mark.parametrize("cc", [[], ["c@example.com"]])
def test_failing_silently(cc: list[str]) -> None:
    email: Any = EmailMessage("s", "b", to=["a@example.com", "b@example.com"], cc=cc)
    with ScriptedServer(_WRONG_KEY) as server:
        silent = EmailBackend(url=server.url, api_key="wrong", fail_silently=True)
        assert silent.send_messages([email]) == 0
    assert email.anymail_status.status == set()


@pytest.mark.skipif(HAS_MAILERS, reason="with MAILERS, Django refuses the argument")
def test_send_mail_that_fails_silently() -> None:
    with ScriptedServer(_WRONG_KEY) as server, configured(server.url):
        assert send_mail("s", "b", None, ["a@example.com"], fail_silently=True) == 0
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": ""}, "'url'"),
        ({"api_key": ""}, "'api_key'"),
        ({"host": "x"}, "host"),
        ({"defaults": {"to": "x"}}, "to"),
    ],
    ids=str,
)
def test_a_wrong_configuration_is_said(options: dict[str, Any], says: str) -> None:
    with configured("http://127.0.0.1:9", **options), pytest.raises(ImproperlyConfigured, match=says):
        backend()
