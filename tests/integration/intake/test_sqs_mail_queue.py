"""Mail put into the SQS queue, as the scheduler and the HTTP API do."""

import base64

import pytest

from email_consumer.intake.sqs_mail_queue import SqsMailQueue
from email_consumer.mail_queue import Backlog, QueueUnavailableError
from email_consumer.sqs.queue import SqsQueue
from tests.servers.sqs import TestQueue


async def test_published_mail_is_text_with_its_headers(mail: TestQueue, queue: SqsQueue) -> None:
    mail_queue = await SqsMailQueue.of(queue)
    assert await mail_queue.publish([(b"\x81\xff", {"Email-Origin": "api"})]) == [None]
    [message] = await mail.receive()
    assert base64.b64decode(message["Body"]) == b"\x81\xff"
    assert message["MessageAttributes"]["Email-Origin"]["StringValue"] == "api"


async def test_calls_carry_ten_messages_and_no_more_bytes_than_sqs_takes(mail: TestQueue, queue: SqsQueue) -> None:
    mail_queue = SqsMailQueue(queue, longest=4_000)
    assert mail_queue.max_payload == 2_232
    small = [(b"x", {"Email-Origin": "api"})] * 25
    large = [(b"x" * 2_000, {"Email-Origin": "api"})] * 3
    assert await mail_queue.publish(small) == [None] * 25
    assert (await mail.calls())["send_message_batch"] == 3
    assert await mail_queue.publish(large) == [None] * 3
    assert (await mail.calls())["send_message_batch"] == 6
    assert await mail_queue.backlog() == Backlog(ack_floor=-1, unsettled=28)


async def test_the_largest_payload_that_is_promised_is_taken(mail: TestQueue, queue: SqsQueue) -> None:
    mail_queue = await SqsMailQueue.of(queue)
    payload = b"x" * mail_queue.max_payload
    assert await mail_queue.publish([(payload, {"Nats-Msg-Id": "u" * 256, "Email-Origin": "api"})]) == [None]
    assert await mail.unsettled() == 1


async def test_a_queue_that_is_gone_tells_so_for_each_message(mail: TestQueue, queue: SqsQueue) -> None:
    gone = SqsMailQueue(SqsQueue(queue._client, f"{mail.url}-gone"), longest=4_000)
    faults = await gone.publish([(b"x", {})] * 12)
    assert ["no such queue" in str(fault) for fault in faults] == [True] * 12
    with pytest.raises(QueueUnavailableError, match="no such queue"):
        await gone.backlog()
