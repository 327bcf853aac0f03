"""Dead letters in a queue's own dead-letter queue."""

from collections.abc import Mapping
from contextlib import nullcontext

import pytest

from email_consumer.aws.renewing_client import RenewingClient
from email_consumer.core.dead_letters import DeadLetterRefusedError
from email_consumer.core.delivery import REPLAY_OF
from email_consumer.message.lane import Lane
from email_consumer.sources.dead_letters_by_source import DeadLettersBySource
from email_consumer.sources.sqs.dead_letters import SqsDeadLetters
from email_consumer.sources.sqs.receiver import SqsDelivery
from email_consumer.sqs.errors import SqsError
from email_consumer.sqs.queue import SqsQueue
from tests.integration.sources.sqs_source import opened
from tests.servers.sqs import SqsServer, TestQueue


async def test_a_letter_is_kept_as_it_came_with_its_attributes(sqs_server: SqsServer) -> None:
    mail, dead = await sqs_server.create_queue_with_dead_letters("mail")
    await mail.send(["{ Grüße"], Trace_Id="t-1", Email_Reason="forged")
    async with opened(sqs_server, mail) as queue:
        policy = await queue.redrive_policy()
        assert policy is not None
        [received] = await queue.receive(1, visibility=30)
        delivery = SqsDelivery(queue, received, 30)
        letters = DeadLettersBySource({("sqs", Lane.BULK): SqsDeadLetters(await queue.by_arn(policy.dead_letter_arn))})
        await letters.store(delivery, "rejected", "no\nsuch\x1b ☺ mailbox", 3)
        await delivery.term()
    assert await mail.unsettled() == 0
    [letter] = await dead.receive()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes.pop("Email-Failed-At")
    assert letter["Body"] == "{ Grüße"
    assert attributes == {
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
    """As SQS is for a body that leaves little room beside it, which moto doesn't count."""

    def __init__(self, room: int) -> None:
        super().__init__(RenewingClient(nullcontext), "https://sqs.example/1/dead")
        self.sent: list[tuple[str, set[str]]] = []
        self._room = room

    async def send(self, body: str, attributes: Mapping[str, str]) -> None:
        if sum(len(name) + len(value) for name, value in attributes.items()) > self._room:
            raise SqsError("the message must be shorter than 1048576 bytes", "InvalidParameterValue")
        self.sent.append((body, set(attributes)))


MARK = {REPLAY_OF, "Email-Kind"}
ATTRIBUTES = MARK | {"Email-Reason", "Email-Reference", "Email-Attempts", "Email-Failed-At"}


@pytest.mark.parametrize(
    ("room", "kept"), [(500, ATTRIBUTES | {"Trace-Id"}), (350, ATTRIBUTES), (150, MARK), (0, set())]
)
async def test_a_large_body_is_kept_with_as_many_attributes_as_there_is_room_for(
    mail: TestQueue, queue: SqsQueue, room: int, kept: set[str]
) -> None:
    await mail.send(["as large as SQS takes"], Trace_Id="t" * 100)
    [received] = await queue.receive(1, visibility=30)
    full = _FullQueue(room)
    await SqsDeadLetters(full).store(SqsDelivery(queue, received, 30), "rejected", "reason", 1)
    assert full.sent == [("as large as SQS takes", kept)]


async def test_a_body_larger_than_the_dead_letter_queue_takes_is_refused(mail: TestQueue, queue: SqsQueue) -> None:
    await mail.send(["larger"])
    [received] = await queue.receive(1, visibility=30)
    with pytest.raises(DeadLetterRefusedError, match="must be shorter"):
        await SqsDeadLetters(_FullQueue(-1)).store(SqsDelivery(queue, received, 30), "rejected", "reason", 1)


async def test_a_dead_letter_queue_that_is_gone_is_an_error_in_plain_words(mail: TestQueue, queue: SqsQueue) -> None:
    await mail.send(["x"])
    [received] = await queue.receive(1, visibility=30)
    gone = SqsQueue(queue._client, f"{mail.url}-gone")
    with pytest.raises(SqsError, match="there is no such queue"):
        await SqsDeadLetters(gone).store(SqsDelivery(queue, received, 30), "rejected", "reason", 1)
