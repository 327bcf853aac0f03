"""Events over HTTP as SNS posts them: what is answered, and what the log says about refusals."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from yarl import URL

from email_consumer.core.outcome import InDoubt
from email_consumer.feedback import inbox as inbox_module
from email_consumer.sns.certificates import DownloadError
from email_consumer.sns.envelope import MAX_BODY
from email_consumer.web import bodies
from tests.factories import event
from tests.integration.feedback.harness import KEY, open_harness
from tests.integration.feedback.http_harness import serve
from tests.unit.feedback.sns_key import SnsKey, body
from tests.waiting import patience


@pytest.mark.parametrize("url_path", ["/v1/events/results", "/v1/events/result"])
async def test_an_event_is_applied_when_it_is_answered(path: Path, url_path: str) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        await harness.send()
        headers = {"x-amz-sns-message-type": "Notification", "Content-Type": "text/plain; charset=UTF-8"}
        envelope = body(KEY.notification(event("Bounce")))
        assert await http.post(envelope, url_path, **headers) == (200, {})
        assert await http.post(envelope, url_path, **headers) == (200, {})
        assert harness.rows("SELECT status FROM email_results") == [("Bounce",)]


@pytest.mark.parametrize(
    "message",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        json.dumps({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have"}),
    ],
)
async def test_greetings_and_events_of_others_are_answered_200(path: Path, message: str) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert await http.post(body(KEY.notification(message))) == (200, {})
        foreign = event("Bounce", instance="staging")
        assert await http.post(body(KEY.notification(foreign))) == (200, {})
        assert harness.rows("SELECT count(*) FROM sns_messages") == [(0,)]


async def test_a_bounce_with_half_a_character_in_it_suppresses_the_address(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        await harness.send()
        bounce = event(
            "Bounce", bouncedRecipients=[{"emailAddress": "jane@example.com", "diagnosticCode": "550 \ud83d"}]
        )
        assert "\\ud83d" in bounce
        assert await http.post(body(KEY.notification(bounce))) == (200, {})
        [suppression] = await harness.suppressions.page(10)
        assert (suppression.address, suppression.detail) == (
            "jane@example.com",
            "Permanent/General: 550 \N{REPLACEMENT CHARACTER}",
        )
        assert harness.rows("SELECT status FROM email_results") == [("Bounce",)]


async def test_an_event_that_is_new_at_ses_is_kept_and_counted_and_proves_nothing(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        await harness.claim(topic_id="t")
        await harness.finish(InDoubt("no answer"), topic_id="t")
        with capture_logs() as lines:
            for uuid in ("u-1", "u-1", "of-nobody"):
                assert await http.post(body(KEY.notification(event("Thunder", uuid)))) == (200, {})
        assert harness.rows("SELECT status, in_doubt FROM email_requests") == [(1, 1)]
        assert harness.proven == []
        assert harness.rows("SELECT status, recipient FROM email_results") == [("Thunder", "jane@example.com")] * 2
        assert harness.rows("SELECT tag FROM unmatched_events") == [("of-nobody",)]
        assert harness.inbox.counts.kinds == {"Unknown": 3}
        assert [(line["kind"], line["unlogged"]) for line in lines if line["event"] == "events.unknown"] == [
            ("Thunder", 0)
        ]


async def test_a_genuine_event_without_its_mail_is_kept(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert await http.post(body(KEY.notification('{"eventType": "Bounce", "mail": 5, "bounce": []}'))) == (200, {})
        assert harness.rows("SELECT message_id, tag FROM unmatched_events") == [("", None)]
        assert await harness.inbox.unmatched.sweep() == 0


async def test_an_end_of_the_subscription_is_said_aloud(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        with capture_logs() as lines:
            assert await http.post(body(KEY.confirmation("UnsubscribeConfirmation"))) == (200, {})
        assert [(line["event"], line["log_level"]) for line in lines] == [("events.unsubscribed", "error")]


@pytest.mark.parametrize(
    ("payload", "headers", "status", "words"),
    [
        (lambda: b"x" * (MAX_BODY + 1), {}, 413, "larger than"),
        (lambda: body(KEY.notification()), {"Content-Encoding": "gzip"}, 415, "Content-Encoding"),
        (lambda: b"no JSON", {}, 400, "not JSON"),
        (lambda: event("Bounce").encode(), {}, 400, "raw message delivery"),
        (lambda: body(KEY.notification()), {"x-amz-sns-rawdelivery": "true"}, 400, "raw message delivery"),
        (lambda: body(KEY.notification()), {"x-amz-sns-message-type": "SubscriptionConfirmation"}, 400, "differs"),
        (lambda: body(KEY.notification(TopicArn="arn:aws:sns:eu-west-1:1:x")), {}, 403, "SNS_TOPIC_ARNS"),
        (lambda: body(KEY.notification() | {"SigningCertURL": "https://evil.example/x.pem"}), {}, 403, "forged"),
        (lambda: body(SnsKey().notification()), {}, 403, "invalid signature"),
        (lambda: body(KEY.notification('{"weather": "fine"}')), {}, 400, "not an SES event"),
        (lambda: body(KEY.notification('{"eventType": "Bounce", ')), {}, 400, "not an SES event"),
        (lambda: body(KEY.notification("[" * 10_000)), {}, 400, "not an SES event"),
    ],
)
async def test_a_refusal_has_its_status_and_a_line_for_the_operator(
    path: Path, payload: Callable[[], bytes], headers: dict[str, str], status: int, words: str
) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        with capture_logs() as lines:
            answered, document = await http.post(payload(), **headers)
        assert answered == status
        assert document["error"]["code"]
        assert [words in line["reason"] for line in lines if line["event"] == "events.refused"] == [True]
        assert harness.rows("SELECT count(*) FROM email_results") == [(0,)]


async def test_a_certificate_that_can_not_be_had_is_asked_for_again(path: Path) -> None:
    async def unreachable(_url: str) -> bytes:
        raise DownloadError("no route to host")

    async with open_harness(path, download=unreachable) as harness, serve(harness) as http:
        # SNS repeats what got 429 as it does 5xx; and a stranger who invents names must not look like a failure of ours.
        assert (await http.post(body(KEY.notification())))[0] == 429


async def test_internal_errors_are_5xx_so_that_sns_tries_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "_TIMEOUT", 0.1)
    async with open_harness(path) as harness, serve(harness) as http:
        await harness.send()
        with closing(sqlite3.connect(path, isolation_level=None)) as other, other:
            other.execute("BEGIN IMMEDIATE")
            assert (await http.post(body(KEY.notification(event("Open")))))[0] == 503
            other.execute("ROLLBACK")


async def test_an_event_that_comes_slowly_is_asked_for_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be us who are slow, and SNS would give it up after a 408."""
    monkeypatch.setattr(bodies, "_ANONYMOUS_SECONDS", 0.1)
    async with open_harness(path) as harness, serve(harness) as http:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(http.url).port)
        writer.write(b"POST /v1/events/results HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        with capture_logs() as lines:
            async with patience():
                head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in head
        assert [(line["cause"], line["status"]) for line in lines if line["event"] == "events.refused"] == [
            ("too_slow", 503)
        ]
