"""Mail put into the SQS queue, as the scheduler and the HTTP API do."""

import asyncio
import base64
import time

import pytest

from email_consumer.core.ledger import Origin
from email_consumer.core.mail_queue import Backlog, Mark, QueueUnavailableError
from email_consumer.pipeline.gate import covers
from email_consumer.sources.joint_mail_queue import JointMailQueue
from email_consumer.sources.sqs.mail_queue import SqsMailQueue
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import SqsQueue
from tests.servers.sqs import TestQueue


async def test_published_mail_is_text_with_its_headers(mail: TestQueue, queue: SqsQueue) -> None:
    mail_queue = await SqsMailQueue.of(queue)
    assert await mail_queue.publish([(b"\x81\xff", {"Email-Origin": "api"})]) == [0]
    [message] = await mail.receive()
    assert base64.b64decode(message["Body"]) == b"\x81\xff"
    assert message["MessageAttributes"]["Email-Origin"]["StringValue"] == "api"


async def test_calls_carry_ten_messages_and_no_more_bytes_than_sqs_takes(mail: TestQueue, queue: SqsQueue) -> None:
    mail_queue = SqsMailQueue(queue, longest=4_000)
    assert mail_queue.max_payload == 2_232
    small = [(b"x", {"Email-Origin": "api"})] * 25
    large = [(b"x" * 2_000, {"Email-Origin": "api"})] * 3
    assert await mail_queue.publish(small) == [0] * 25
    assert (await mail.calls())["send_message_batch"] == 3
    assert await mail_queue.publish(large) == [0] * 3
    assert (await mail.calls())["send_message_batch"] == 6
    assert await mail_queue.backlog() == Backlog(ack_floor=-1, unsettled=28)


async def test_the_largest_payload_that_is_promised_is_taken(mail: TestQueue, queue: SqsQueue) -> None:
    mail_queue = await SqsMailQueue.of(queue)
    payload = b"x" * mail_queue.max_payload
    assert await mail_queue.publish([(payload, {"Nats-Msg-Id": "u" * 256, "Email-Origin": "api"})]) == [0]
    assert await mail.unsettled() == 1


async def test_a_queue_that_is_gone_fails_each_message(mail: TestQueue, queue: SqsQueue) -> None:
    gone = SqsMailQueue(SqsQueue(queue._client, f"{mail.url}-gone"), longest=4_000)
    faults = await gone.publish([(b"x", {})] * 12)
    assert ["no such queue" in str(fault) for fault in faults] == [True] * 12
    with pytest.raises(QueueUnavailableError, match="no such queue"):
        await gone.backlog()


async def test_an_outage_is_waited_for_once(queue: SqsQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call may take 15 seconds, and no topic can be cancelled meanwhile."""
    calls = 0

    async def no_answer(_: object) -> list[SqsError | None]:
        nonlocal calls
        calls += 1
        raise SqsError("no answer")

    monkeypatch.setattr(queue, "send_batch", no_answer)
    faults = await SqsMailQueue(queue, longest=4_000).publish([(b"x", {})] * 250)
    assert [str(fault) for fault in faults] == ["no answer"] * 250
    assert calls == 1


@pytest.mark.parametrize("skew", [-120.0, 120.0])
async def test_a_moment_is_taken_from_the_clock_of_sqs(
    mail: TestQueue, queue: SqsQueue, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    sqs_time = time.time
    monkeypatch.setattr(time, "time", lambda: sqs_time() + skew)  # ours alone: the queue's is another process
    mail_queue = await SqsMailQueue.of(queue)
    await mail.send(["before"])
    mark = await mail_queue.mark()
    await asyncio.sleep(mark.past_in)
    await mail.send(["after"])
    received = {message.body: message for message in await queue.receive(10, visibility=30)}
    for message in await queue.receive(10, visibility=30, wait=1) if len(received) < 2 else ():
        received[message.body] = message
    covered = {body: covers(mark, Origin("sqs", "mail:1", 0, each.sent_at)) for body, each in received.items()}
    assert covered == {"before": True, "after": False}
    assert all(-1 <= each.waited < 100 for each in received.values())


async def test_a_moment_is_one_in_both_sources(queue: SqsQueue) -> None:
    sqs = await SqsMailQueue.of(queue)
    mark = await JointMailQueue(Numbered(), sqs).mark()
    alone = await sqs.mark()
    assert (mark.stream, mark.sequence, mark.past_in) == ("s", 7, alone.past_in)
    assert alone.before - 60 < mark.before <= alone.before


class Numbered:
    """A stream that stands at 7."""

    max_payload = 1

    async def publish(self, _: object) -> list[int | Exception]:
        raise AssertionError

    async def mark(self) -> Mark:
        return Mark("s", 7, 0.0)

    async def backlog(self) -> Backlog:
        raise AssertionError
