"""Credentials that were replaced in their file, while the program runs."""

from pathlib import Path

import pytest

from email_consumer.aws import renewing_client
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import SqsQueue
from tests.servers.answers import accepted
from tests.servers.raw_server import Connection, raw_server

REGION = "eu-west-1"
FIELDS = "Content-Type: application/x-amz-json-1.0"
REFUSED = accepted(b'{"__type": "com.amazon.coral.service#UnrecognizedClientException", "message": "invalid"}', FIELDS)


def store(path: Path, key: str) -> None:
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {key}-secret\n")


async def only_new(connection: Connection) -> None:
    while True:
        head = await connection.request()
        answer = (
            accepted(b"{}", FIELDS) if b"Credential=new/" in head else REFUSED.replace(b"200 OK", b"400 Bad Request")
        )
        await connection.answer(answer)


async def test_a_queue_that_is_open_is_read_with_the_new_ones(
    aws_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store(aws_environment, "old")
    async with (
        raw_server(only_new) as server,
        SqsQueue.open(f"{server.url}/1/mail", region=REGION, endpoint=server.url) as queue,
    ):
        with pytest.raises(SqsError, match="AWS does not know these credentials"):
            await queue.receive(1, visibility=1)
        store(aws_environment, "new")
        monkeypatch.setattr(renewing_client, "_PAUSE", 0.0)
        with pytest.raises(SqsError, match="AWS does not know these credentials"):
            await queue.receive(1, visibility=1)
        assert await queue.receive(1, visibility=1) == []
        assert queue.last_error == ""
