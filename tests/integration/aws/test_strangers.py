"""What answers is not AWS, or never ends: calls beside sending fail in time, and nothing is believed that AWS did not say."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aioboto3
import orjson
import pytest

from email_consumer.aws import NoAnswerError, answered, client_config
from email_consumer.feedback.envelope import parse
from email_consumer.feedback.refusal import Refusal
from email_consumer.feedback.subscription import Subscriptions
from email_consumer.feedback.topic_arn import TopicArn
from email_consumer.ses.account import AccountUnavailableError
from email_consumer.sqs import queue as sqs_queue
from email_consumer.sqs.faults import SqsError
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
async def ses(script: Script) -> AsyncIterator[Any]:
    async with (
        raw_server(script) as server,
        aioboto3.Session(region_name=REGION).client(
            "sesv2", endpoint_url=server.url, config=client_config(connect=0.2, answer=0.3)
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
    async with ses(trickling) as client:
        with pytest.raises(NoAnswerError):
            await answered(client.get_account(), within=5)


async def test_an_answer_has_a_bound() -> None:
    async with ses(always(accepted(b"{" + b" " * 2**24 + b"}"))) as client:
        with pytest.raises(NoAnswerError):
            await answered(client.get_account(), within=5)


async def test_an_encoded_answer_is_read() -> None:
    async with ses(always(accepted(gzip.compress(ACCOUNT), "Content-Encoding: gzip"))) as client:
        assert (await answered(client.get_account(), within=5))["SendingEnabled"] is True


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
    monkeypatch.setattr(sqs_queue, "_CALL", 2.0)
    async with queue(always(FOREIGN[name])) as opened:
        with pytest.raises(SqsError):
            await opened.send("body", {})
        with pytest.raises(SqsError):
            await opened.by_arn(f"arn:aws:sqs:{REGION}:123456789012:dead")
        try:
            told = await opened.send_batch([("body", {})] * 2)
        except SqsError:
            return
    assert all(isinstance(each, SqsError) for each in told)


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_subscription_that_sns_did_not_confirm_is_not_confirmed(name: str) -> None:
    told = {"Type": "SubscriptionConfirmation", "MessageId": str(UUID(int=0)), "TopicArn": TOPIC, "Token": "t"}
    others = {"Message": "m", "SubscribeURL": "https://x", "Timestamp": "2026-01-01T00:00:00.000Z"}
    signed = {"Signature": "", "SignatureVersion": "1", "SigningCertURL": "https://x"}
    envelope = parse(orjson.dumps(told | others | signed))
    async with raw_server(always(FOREIGN[name])) as server:
        with pytest.raises(Refusal) as refused:
            await Subscriptions(server.url).confirm(envelope, TopicArn.parse(TOPIC))
    assert refused.value.status == 503
