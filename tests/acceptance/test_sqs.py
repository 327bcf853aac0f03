"""Mail from SQS, whatever happens meanwhile: none lost, none doubled, what can't be sent in the dead-letter queue."""

import base64
import json
import os
import random
from collections.abc import Iterator
from itertools import cycle

import msgpack
import pytest

from tests.acceptance.conftest import DaemonHarness, over_both_sources
from tests.acceptance.events_queue import events_through_sqs
from tests.acceptance.publisher import SqsPublisher, as_map
from tests.servers.sqs import SqsServer
from tests.waiting import PATIENCE

_KILLS = 5
_GOOD = int(os.environ.get("SQS_MAILS", "600"))
on_sqs = pytest.mark.parametrize("harness", ["sqs"], indirect=True)


def _forms(uuids: list[str]) -> Iterator[str]:
    """Bodies of mails, in each form by turns."""
    for form, uuid in zip(cycle(range(4)), uuids, strict=False):
        mail = {"uuid": uuid, "email": "you@example.com", "subject": "Grüße", "body": "<p>Hello</p>"}
        match form:
            case 0:
                yield json.dumps(mail | {"planId": 7})
            case 1:
                yield json.dumps(mail | {"topic_id": "7", "replyTo": "me@example.com"}, ensure_ascii=False)
            case 2:
                yield base64.b64encode(msgpack.packb(mail)).decode()
            case _:
                yield base64.b64encode(msgpack.packb(list(mail.values()))).decode()


def _poison(number: int) -> str:
    return (
        f"plain words {number}",
        f'{{"uuid": "p-{number}", "email": ',
        json.dumps(
            {"uuid": f"p-{number}", "email": "you@example.com\r\nBcc: all@example.com", "subject": "", "body": ""}
        ),
        base64.b64encode(b"\xc1" + str(number).encode()).decode(),
    )[number % 4]


@on_sqs
async def test_messages_of_all_kinds_and_five_kills(harness: DaemonHarness, sqs_server: SqsServer) -> None:
    assert isinstance(harness.publisher, SqsPublisher)
    mail, dead = harness.publisher.mail, harness.publisher.dead
    chance, step = random.Random(7), _GOOD // 6
    uuids = [f"mail-{number}" for number in range(_GOOD)]
    good = list(_forms(uuids))
    doomed = list(_forms([f"exhausted-{number}" for number in range(10)] + [f"rejected-{n}" for n in range(10)]))
    poison = [_poison(number) for number in range(40)]
    everything = good + chance.choices(good, k=_GOOD // 20) + doomed + poison
    chance.shuffle(everything)
    await harness.fault(times=None, match={"uuid": "exhausted-*"}, kind="error", code="BrandNewException")
    await harness.fault(times=None, match={"uuid": "rejected-*"}, kind="error", code="MessageRejected")
    await harness.fault(times=_GOOD // 4, kind="error", code="TooManyRequestsException")
    await harness.fault(times=None, kind="delay", seconds=0.05)
    async with events_through_sqs(harness, sqs_server):
        await mail.send(everything)
        # Each kill may cost a mail an attempt.
        async with harness.daemon(
            IN_DOUBT_GRACE=15, ACK_WAIT=2, MAX_ATTEMPTS=_KILLS + 2, SES_RATE_PER_SEC=500
        ) as daemon:
            for kill in range(_KILLS):
                await harness.wait_sent(chance.randrange(kill * step, kill * step + step))
                await daemon.kill()
                await daemon.start()
            await harness.wait_sent(_GOOD)
            await mail.emptied()
            assert daemon.count("ledger.in_doubt") > 0
    assert await harness.sent() == dict.fromkeys(uuids, 1)
    # A kill between storing a dead letter and recording it leaves a second copy, but never another body.
    assert {letter["Body"] for letter in await dead.take_all()} == {*doomed, *poison}


@on_sqs
async def test_a_mail_that_takes_longer_than_the_visibility_is_received_once(harness: DaemonHarness) -> None:
    assert isinstance(harness.publisher, SqsPublisher)
    await harness.fault(kind="delay", seconds=4.0)
    async with harness.daemon(ACK_WAIT=1):
        await harness.publisher.publish([as_map("slow")])
        await harness.wait_sent(1)
        await harness.emptied()
    calls = await harness.publisher.mail.calls()
    assert calls["change_message_visibility_batch"] >= 3
    assert await harness.sent() == {"slow": 1}


@on_sqs
async def test_a_dead_letter_moved_back_is_sent_again(harness: DaemonHarness) -> None:
    assert isinstance(harness.publisher, SqsPublisher)
    fault = await harness.fault(times=None, kind="error", code="MessageRejected")
    async with harness.daemon():
        await harness.publisher.publish([as_map("again")])
        await harness.struck(fault)
        [letter] = await harness.publisher.dead.receive(wait=20, visibility=600)
        await harness.heal()
        facts = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
        await harness.publisher.mail.send([letter["Body"]], **{name.replace("-", "_"): facts[name] for name in facts})
        await harness.wait_sent(1)
        # Copied once more by mistake: a replay counts once.
        await harness.publisher.mail.send([letter["Body"]], **{name.replace("-", "_"): facts[name] for name in facts})
        await harness.emptied()
    assert await harness.sent() == {"again": 1}


@over_both_sources
async def test_events_that_waited_longer_than_the_grace_settle_what_was_in_doubt(
    harness: DaemonHarness, sqs_server: SqsServer
) -> None:
    """Killed before it learned of its answers; all that it can go by are the events of the time when it was down."""
    async with (
        events_through_sqs(harness, sqs_server) as events,
        harness.daemon(IN_DOUBT_GRACE=0, ACK_WAIT=1) as daemon,
    ):
        await daemon.wait_for("events.subscribed")
        events.flowing.clear()
        hanging = await harness.fault(times=None, kind="hang_after")
        await harness.publisher.publish(as_map(f"mail-{number}") for number in range(100))
        await harness.struck(hanging, hits=100)
        await daemon.kill()
        await harness.heal()
        events.flowing.set()
        await harness.sandbox.get("/sandbox/events/wait", delivered=101, timeout=PATIENCE)
        assert await events.queue.unsettled() == 100
        await daemon.start()
        await harness.emptied()
        await events.queue.emptied()
        assert (await daemon.wait_for("ledger.in_doubt"))["mails"] == 100
    assert await harness.sent() == {f"mail-{number}": 1 for number in range(100)}


@on_sqs
async def test_a_queue_without_a_place_for_dead_letters_is_refused(
    harness: DaemonHarness, sqs_server: SqsServer
) -> None:
    bare = await sqs_server.create_queue("bare")
    daemon = harness.daemon(SQS_QUEUE_URL=bare.url)
    await daemon.launch()
    assert await daemon.ended() == 1
    assert "RedrivePolicy" in str(daemon.log[-1])


@on_sqs
async def test_a_missing_queue_is_one_clear_line(harness: DaemonHarness, sqs_server: SqsServer) -> None:
    daemon = harness.daemon(SQS_QUEUE_URL=f"{sqs_server.url}/123456789012/missing")
    await daemon.launch()
    assert await daemon.ended() == 1
    [complaint] = [line for line in daemon.log if line.get("level") not in {"info", "debug"}]
    assert "there is no such queue" in str(complaint)
