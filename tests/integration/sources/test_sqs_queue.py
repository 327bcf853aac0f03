"""One queue through aioboto3: what it says of itself, and of what went wrong."""

import asyncio
import socket

import pytest

from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import SqsQueue
from tests.integration.sources.sqs_source import opened
from tests.servers.sqs import REGION, SqsServer, TestQueue


async def test_its_redrive_policy(sqs_server: SqsServer) -> None:
    mail, dead = await sqs_server.create_queue_with_dead_letters("mail", receives=20)
    async with opened(sqs_server, mail) as queue:
        policy = await queue.redrive_policy()
        assert policy is not None
        assert policy.max_receives == 20
        target = await queue.by_arn(policy.dead_letter_arn)
        assert (target.name, target.url) == (dead.name, dead.url)
        assert await target.redrive_policy() is None


async def test_a_missing_queue_is_one_clear_line(sqs_server: SqsServer) -> None:
    url = f"{sqs_server.url}/123456789012/missing"
    async with SqsQueue.open(url, region=REGION, endpoint=sqs_server.url) as queue:
        with pytest.raises(SqsError, match=f"{url}: there is no such queue; .*QueueDoesNotExist") as caught:
            await queue.redrive_policy()
    assert caught.value.code == "QueueDoesNotExist"
    assert "\n" not in str(caught.value)


async def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with SqsQueue.open(f"{endpoint}/1/mail", region=REGION, endpoint=endpoint) as queue:
        with pytest.raises(SqsError, match="no answer: Could not connect") as caught:
            await queue.receive(1, visibility=1)
    assert caught.value.code == ""


async def test_the_url_names_the_region() -> None:
    url = "https://sqs.eu-west-1.amazonaws.com/111122223333/mail"
    async with SqsQueue.open(url, region=REGION, endpoint=None) as queue:
        assert queue._client.current.meta.region_name == "eu-west-1"
        assert queue._client.current.meta.endpoint_url == "https://sqs.eu-west-1.amazonaws.com"


async def test_a_delete_of_what_nobody_received_fails_for_itself_alone(mail: TestQueue, queue: SqsQueue) -> None:
    await mail.send(["good"])
    [received] = await queue.receive(1, visibility=30)
    bad, good = await asyncio.gather(
        queue.delete("made up"), queue.delete(received.receipt_handle), return_exceptions=True
    )
    assert isinstance(bad, SqsError)
    assert bad.code == "ReceiptHandleIsInvalid"
    assert good is None
    assert await mail.unsettled() == 0
    assert (await mail.calls())["delete_message_batch"] == 1
