"""What answers is not AWS, or never ends: calls beside sending fail in time, and nothing is believed that AWS did not say."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aioboto3
import orjson
import pytest

from email_consumer.aws.client import NoAnswerError, answered, client_config
from email_consumer.core.account import AccountUnavailableError
from email_consumer.doctor.examination import examine
from email_consumer.settings import load_settings
from email_consumer.sns.envelope import parse
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sns.subscription import Subscriptions
from email_consumer.sns.topic_arn import TopicArn
from email_consumer.sqs import batches
from email_consumer.sqs import queue as sqs_queue
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import SqsQueue
from tests.integration.ses.sandbox import client as ses_client
from tests.servers.answers import accepted, answer
from tests.servers.raw_server import Connection, Script, raw_server

REGION = "eu-west-1"
ACCOUNT = b'{"SendingEnabled": true}'
TOPIC = f"arn:aws:sns:{REGION}:123456789012:events"
FOREIGN = {
    "a page": accepted(b"<html>log in</html>", "Content-Type: text/html"),
    "another's JSON": accepted(b'{"ok": true}', "Content-Type: application/json"),
    "nothing": accepted(b""),
    "a mesh's 503": answer("503 Service Unavailable", b"no healthy upstream"),
}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")


def json_answer(body: bytes, *fields: str) -> bytes:
    return accepted(body, "Content-Type: application/x-amz-json-1.0", *fields)


def always(response: bytes) -> Script:
    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.answer(response)

    return script


async def trickling(connection: Connection) -> None:
    await connection.request()
    await connection.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    while True:
        await connection.answer(b" ")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def ses(script: Script, seconds: float = 60) -> AsyncIterator[Any]:
    """An SES client, with so long for each answer."""
    async with (
        raw_server(script) as server,
        aioboto3.Session(region_name=REGION).client(
            "sesv2", endpoint_url=server.url, config=client_config(connect=1, answer=seconds)
        ) as client,
    ):
        yield client


@asynccontextmanager
async def queue(script: Script) -> AsyncIterator[SqsQueue]:
    async with (
        raw_server(script) as server,
        SqsQueue.open(f"{server.url}/1/mail", region=REGION, endpoint=server.url) as opened,
    ):
        yield opened


async def test_a_call_ends_though_its_answer_does_not() -> None:
    async with ses(trickling, 0.3) as client:
        with pytest.raises(NoAnswerError, match="Read timeout"):
            await answered(client.get_account(), within=60)


async def test_a_call_ends_with_its_time_whatever_its_attempts_take() -> None:
    async with ses(trickling) as client:
        with pytest.raises(NoAnswerError, match="TimeoutError"):
            await answered(client.get_account(), within=0.3)


async def test_an_answer_has_a_bound() -> None:
    async with ses(always(accepted(b"{" + b" " * 2**24 + b"}"))) as client:
        with pytest.raises(NoAnswerError, match="Connection was closed"):
            await answered(client.get_account(), within=60)


async def test_an_encoded_answer_is_read() -> None:
    async with ses(always(accepted(gzip.compress(ACCOUNT), "Content-Encoding: gzip"))) as client:
        assert (await answered(client.get_account(), within=60))["SendingEnabled"] is True


@pytest.mark.parametrize("name", FOREIGN)
async def test_what_ses_did_not_say_of_the_account_is_not_believed(name: str) -> None:
    async with raw_server(always(FOREIGN[name])) as server, ses_client(server.url) as client:
        with pytest.raises(AccountUnavailableError):
            await client.account()


USES: dict[str, Callable[[SqsQueue], Awaitable[object]]] = {
    "receive": lambda queue: queue.receive(1, visibility=1, wait=0),
    "delete": lambda queue: queue.delete("handle"),
    "visibility": lambda queue: queue.change_visibility("handle", 1),
    "send": lambda queue: queue.send("body", {}),
    "count": lambda queue: queue.count(),
    "now": lambda queue: queue.now(),
    "waiting": lambda queue: queue.waiting(),
    "longest": lambda queue: queue.longest_message(),
    "redrive": lambda queue: queue.redrive_policy(),
    "by_arn": lambda queue: queue.by_arn(f"arn:aws:sqs:{REGION}:123456789012:dead"),
}


@pytest.mark.parametrize("use", USES)
async def test_a_call_of_sqs_ends_in_time(use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_queue, "_CALL", 0.3)
    async with queue(trickling) as opened:
        with pytest.raises(SqsError, match="no answer"):
            await USES[use](opened)


@pytest.mark.parametrize("name", FOREIGN)
async def test_what_sqs_did_not_store_is_not_taken_for_stored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_RETRY_PAUSE", 0.0)
    async with queue(always(FOREIGN[name])) as opened:
        with pytest.raises(SqsError):
            await opened.send("body", {})
        with pytest.raises(SqsError):
            await opened.delete("handle")
        with pytest.raises(SqsError):
            await opened.by_arn(f"arn:aws:sqs:{REGION}:123456789012:dead")
        try:
            told = await opened.send_batch([("body", {})] * 2)
        except SqsError:
            return
    assert all(isinstance(each, SqsError) for each in told)


@pytest.mark.parametrize("field", ["Date: soon", "Date:", "X-Date: none", "Date: Sat, 99 Nov 2026 25:00:00 GMT"])
async def test_a_date_that_is_none_does_not_lose_the_answer(field: str) -> None:
    async with queue(always(json_answer(b"{}", field))) as opened:
        assert await opened.receive(1, visibility=1, wait=0) == []
        assert await opened.now() > 1_700_000_000


async def test_the_time_is_that_of_sqs() -> None:
    async with queue(always(json_answer(b"{}", "Date: Sat, 28 Nov 2026 09:00:00 GMT"))) as opened:
        assert await opened.now() == 1_795_856_400


def message(**change: object) -> dict[str, object]:
    told = {"MessageId": "1", "ReceiptHandle": "h", "Body": "b", "Attributes": {"SentTimestamp": "1000"}}
    return told | {"Attributes": {"SentTimestamp": "1000", "ApproximateReceiveCount": "1"}} | change


@pytest.mark.parametrize(
    "change",
    [
        {"Attributes": {}},
        {"Attributes": {"SentTimestamp": "now", "ApproximateReceiveCount": "1"}},
        {"Attributes": {"SentTimestamp": "9" * 400, "ApproximateReceiveCount": "1"}},
        {"Attributes": {"SentTimestamp": "1000", "ApproximateReceiveCount": ""}},
        {"Body": 7},
        {"Body": None},
        {"MessageId": None},
        {"ReceiptHandle": None},
    ],
)
async def test_a_message_that_sqs_did_not_write_is_no_crash(change: dict[str, object]) -> None:
    answered_with = orjson.dumps({"Messages": [message(**change)]})
    async with queue(always(json_answer(answered_with))) as opened:
        with pytest.raises(SqsError, match="not SQS"):
            await opened.receive(1, visibility=1, wait=0)
        assert "not SQS" in opened.last_error


async def test_what_is_no_text_in_a_message_does_not_spoil_it() -> None:
    body = orjson.dumps({"Messages": [message(Body="@", MessageAttributes={"a": {"StringValue": 7}})]})
    async with queue(always(json_answer(body.replace(b"@", rb"half \ud83d")))) as opened:
        [received] = await opened.receive(1, visibility=1, wait=0)
        assert (received.body.encode(), received.attributes) == (b"half ?", {})


def attributes(**values: object) -> bytes:
    return orjson.dumps({"Attributes": values})


@pytest.mark.parametrize(
    ("use", "body"),
    [
        ("count", attributes(ApproximateNumberOfMessages="1")),
        ("count", attributes(ApproximateNumberOfMessages="many")),
        ("waiting", attributes()),
        ("longest", attributes()),
        ("longest", attributes(MaximumMessageSize={})),
        ("redrive", attributes(RedrivePolicy="{")),
        ("redrive", attributes(RedrivePolicy="[]")),
        ("redrive", attributes(RedrivePolicy="{}")),
        ("redrive", attributes(RedrivePolicy='{"deadLetterTargetArn": "a", "maxReceiveCount": null}')),
    ],
)
async def test_what_sqs_did_not_say_of_a_queue_is_not_believed(use: str, body: bytes) -> None:
    async with queue(always(json_answer(body))) as opened:
        with pytest.raises(SqsError, match="not SQS"):
            await USES[use](opened)


async def test_a_dead_letter_queue_without_a_name_is_no_crash() -> None:
    async with queue(always(json_answer(b"{}"))) as opened:
        with pytest.raises(SqsError, match="not SQS"):
            await opened.by_arn("the other one")


QUOTA = {"MaxSendRate": 14, "Max24HourSend": 50_000, "SentLast24Hours": 0}


@pytest.mark.parametrize("value", [None, "many", [], "NaN", 1e308 * 10])
@pytest.mark.parametrize("name", QUOTA)
async def test_a_limit_that_is_no_number_is_not_believed(name: str, value: object) -> None:
    body = json.dumps({"SendingEnabled": True, "SendQuota": QUOTA | {name: value}}).encode()
    async with raw_server(always(json_answer(body))) as server, ses_client(server.url) as client:
        with pytest.raises(AccountUnavailableError):
            await client.account()


async def test_doctor_says_that_what_answers_is_not_aws(tmp_path: Path) -> None:
    async with raw_server(always(FOREIGN["another's JSON"])) as server:
        given = {"AWS_ENDPOINT_URL_SESV2": server.url, "NATS_URL": "nats://127.0.0.1:1", "SOURCE": "nats"}
        settings = load_settings(given | {"DB_PATH": str(tmp_path / "email.db"), "SERVER_PORT": "0"})
        findings = await examine(settings, ses_calls_per_second=1000)
    [found] = [each for each in findings if each.check == "ses.credentials"]
    assert "not from AWS" in found.text


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_subscription_that_sns_did_not_confirm_is_not_confirmed(name: str) -> None:
    told = {"Type": "SubscriptionConfirmation", "MessageId": str(UUID(int=0)), "TopicArn": TOPIC, "Token": "t"}
    others = {"Message": "m", "SubscribeURL": "https://x", "Timestamp": "2026-01-01T00:00:00.000Z"}
    signed = {"Signature": "", "SignatureVersion": "1", "SigningCertURL": "https://x"}
    envelope = parse(orjson.dumps(told | others | signed))
    async with raw_server(always(FOREIGN[name])) as server:
        with pytest.raises(MessageRefusedError) as refused:
            await Subscriptions(server.url).confirm(envelope, TopicArn.parse(TOPIC))
    assert refused.value.status == 503
