"""Dead letters in a queue's own dead-letter queue."""

import pytest

from email_consumer.delivery import REPLAY_OF
from email_consumer.intake.dead_letters_by_source import DeadLettersBySource
from email_consumer.intake.sqs import SqsDelivery
from email_consumer.intake.sqs_dead_letters import SqsDeadLetters
from email_consumer.sqs.faults import SqsError
from email_consumer.sqs.queue import SqsQueue
from tests.integration.intake.sqs_source import opened
from tests.servers.sqs import SqsServer, TestQueue


async def test_a_letter_is_kept_as_it_came_with_its_facts(sqs_server: SqsServer) -> None:
    mail, dead = await sqs_server.create_queue_with_dead_letters("mail")
    await mail.send(["{ Grüße"], Trace_Id="t-1", Email_Reason="forged")
    async with opened(sqs_server, mail) as queue:
        policy = await queue.redrive_policy()
        assert policy is not None
        [received] = await queue.receive(1, visibility=30)
        delivery = SqsDelivery(queue, received, 30)
        letters = DeadLettersBySource({"sqs": SqsDeadLetters(await queue.by_arn(policy.dead_letter_arn))})
        await letters.store(delivery, "rejected", "no\nsuch\x1b ☺ mailbox", 3)
        await delivery.term()
    assert await mail.unsettled() == 0
    [letter] = await dead.receive()
    facts = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert facts.pop("Email-Failed-At")
    assert letter["Body"] == "{ Grüße"
    assert facts == {
        "Trace-Id": "t-1",
        "Email-Kind": "rejected",
        "Email-Reason": "no such \\u263a mailbox",
        "Email-Reference": delivery.reference,
        "Email-Attempts": "3",
        REPLAY_OF: f"{delivery.reference}:{delivery.stored_at:.3f}",
    }


async def test_of_many_attributes_only_those_that_sqs_takes_are_kept(
    mail: TestQueue, queue: SqsQueue, sqs_server: SqsServer
) -> None:
    await mail.send(["full"], **{f"Trace_{number}": "x" for number in range(10)})
    dead = await sqs_server.create_queue("dead")
    [received] = await queue.receive(1, visibility=30)
    async with opened(sqs_server, dead) as target:
        await SqsDeadLetters(target).store(SqsDelivery(queue, received, 30), "rejected", "reason", 1)
    [letter] = await dead.receive()
    assert len(letter["MessageAttributes"]) == 10
    assert letter["MessageAttributes"]["Email-Reason"]["StringValue"] == "reason"


class _FullQueue(SqsQueue):
    """As SQS is for a body that leaves no room beside it, which moto doesn't count."""

    sent = ""

    async def send(self, body: str, attributes: object) -> None:
        if attributes:
            raise SqsError("the message must be shorter than 1048576 bytes", "InvalidParameterValue")
        self.sent = body


async def test_a_body_that_leaves_no_room_is_kept_without_the_facts(mail: TestQueue, queue: SqsQueue) -> None:
    await mail.send(["as large as SQS takes"])
    [received] = await queue.receive(1, visibility=30)
    full = _FullQueue(None, "https://sqs.example/1/dead")
    await SqsDeadLetters(full).store(SqsDelivery(queue, received, 30), "rejected", "reason", 1)
    assert full.sent == "as large as SQS takes"


async def test_a_dead_letter_queue_that_is_gone_is_an_error_in_plain_words(mail: TestQueue, queue: SqsQueue) -> None:
    await mail.send(["x"])
    [received] = await queue.receive(1, visibility=30)
    gone = SqsQueue(queue._client, f"{mail.url}-gone")
    with pytest.raises(SqsError, match="there is no such queue"):
        await SqsDeadLetters(gone).store(SqsDelivery(queue, received, 30), "rejected", "reason", 1)
