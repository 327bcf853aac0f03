"""The same signed messages out of an SQS queue, on a real inbox."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from email_consumer.core.outcome import Duplicate, InDoubt
from email_consumer.feedback import sqs_events
from email_consumer.feedback.sqs_events import SqsEvents
from email_consumer.sns.errors import MessageRefusedError
from email_consumer.sqs.queue import SqsQueue
from tests.factories import event
from tests.integration.feedback.harness import KEY, open_harness
from tests.servers.sqs import REGION, SqsServer, TestQueue
from tests.unit.feedback.sns_key import body
from tests.waiting import until


@dataclass
class Reading:
    """The queue while it is read."""

    queue: TestQueue
    expected_from: list[float] = field(default_factory=list)

    async def expected_after(self, moment: float) -> None:
        await until(lambda: self.expected_from and self.expected_from[-1] > moment)


@asynccontextmanager
async def reading(server: SqsServer, handle: Callable[[bytes], Awaitable[None]]) -> AsyncIterator[Reading]:
    found = Reading(await server.create_queue("events"))
    async with SqsQueue.open(found.queue.url, region=REGION, endpoint=server.url) as queue:
        running = asyncio.create_task(SqsEvents(queue, handle, found.expected_from.append).run())
        try:
            yield found
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_an_event_settles_its_mail_and_leaves_the_queue(path: Path, sqs_server: SqsServer) -> None:
    async with open_harness(path) as harness, reading(sqs_server, harness.receiver.handle) as found:
        await harness.claim()
        await harness.finish(InDoubt("no answer"))
        envelope = body(KEY.notification(event("Send"))).decode()
        await found.queue.send([envelope, envelope])
        await found.queue.emptied()
        assert harness.inbox.counts.settled == 1
        assert await harness.claim() == Duplicate()


async def test_what_is_refused_stays_to_be_looked_at_later(path: Path, sqs_server: SqsServer) -> None:
    forged = KEY.notification(event("Send")) | {"Message": event("Send", "u-2")}
    async with open_harness(path) as harness, reading(sqs_server, harness.receiver.handle) as found:
        await harness.send()
        await found.queue.send([json.dumps(forged), event("Send"), body(KEY.notification(event("Bounce"))).decode()])
        await until(lambda: _put_off(found.queue, 2))
        assert harness.rows("SELECT status FROM email_results") == [("Bounce",)]
        assert set(harness.receiver.refusals.refused) == {"signature", "raw delivery"}
        assert await found.queue.receive() == []


async def _put_off(queue: TestQueue, count: int) -> bool:
    return (await queue.calls())["change_message_visibility_batch"] > 0 and await queue.unsettled() == count


async def test_an_event_is_retried_after_a_temporary_error(
    sqs_server: SqsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_events, "_RETRY_SOON", 0.0)
    faults = [MessageRefusedError("storage", "the database accepts no writes", 503)]

    async def handle(_body: bytes) -> None:
        if faults:
            raise faults.pop()

    async with reading(sqs_server, handle) as found:
        await found.queue.send(["event"])
        await found.queue.emptied()
    assert faults == []


async def test_in_doubt_waits_for_unsettled_events_of_a_dead_process(sqs_server: SqsServer) -> None:
    began = time.time()
    async with reading(sqs_server, _ignore) as found:
        await found.expected_after(began + sqs_events._VISIBILITY - 1)


async def test_in_doubt_waits_while_old_events_are_read(sqs_server: SqsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs_events, "_VISIBILITY", 0.0)
    monkeypatch.setattr(sqs_events, "_BACKLOG", -1.0)  # whatever comes has waited for long
    async with reading(sqs_server, _ignore) as found:
        await found.expected_after(0)
        [ready] = found.expected_from
        await found.queue.send(["an event of yesterday"])
        await found.expected_after(ready)


async def test_in_doubt_waits_while_the_queue_gives_no_answer(
    sqs_server: SqsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs_events, "_VISIBILITY", 0.0)
    missing = f"{sqs_server.url}/123456789012/missing"
    moments: list[float] = []
    async with SqsQueue.open(missing, region=REGION, endpoint=sqs_server.url) as queue:
        running = asyncio.create_task(SqsEvents(queue, _ignore, moments.append).run())
        await until(lambda: len(moments) >= 3)
        running.cancel()
        await asyncio.wait([running])
    assert moments == sorted(moments)
    assert moments[-1] > moments[0]


async def test_in_doubt_does_not_wait_for_a_clock_that_was_ahead(
    sqs_server: SqsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(sqs_events, "_BACKLOG", -1.0)  # whatever comes has waited for long
    async with reading(sqs_server, _ignore) as found:
        with monkeypatch.context() as clock:
            clock.setattr(time, "time", lambda: real() + 86_400)
            await found.queue.send(["one"])
            await found.expected_after(real() + 80_000)
        before = len(found.expected_from)
        await found.queue.send(["another"])
        await until(lambda: len(found.expected_from) > before)
        assert found.expected_from[-1] < real() + 60


async def _ignore(_body: bytes) -> None:
    """Everything is fine."""
