import asyncio
from collections.abc import Iterator

import pytest
import structlog
from structlog.typing import EventDict

from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Duplicate,
    Exhausted,
    Failed,
    Held,
    Parked,
    Rejected,
    Sent,
    Throttled,
    Undecodable,
)
from email_consumer.message.lane import Lane
from email_consumer.observe.rate_line import RateLine, report
from tests.waiting import PATIENCE


def test_counts_since_the_last_line() -> None:
    metrics = Metrics(rate=49.96, in_flight=3)
    metrics.outcomes.update({Sent: 100, Throttled: 100})
    metrics.sent_by_lane.update({Lane.TRANSACTIONAL: 40, Lane.BULK: 60})
    line = RateLine(metrics, 10.0, 1.0)
    metrics.outcomes.update(
        {Sent: 50, Throttled: 7, Failed: 2, Rejected: 1, Exhausted: 1, Undecodable: 1, Parked: 1, Duplicate: 3}
    )
    metrics.sent_by_lane.update({Lane.TRANSACTIONAL: 8, Lane.BULK: 42})
    metrics.peak = 51
    assert line.next(11.0) == {
        "rps": 50,
        "rps_transactional": 8,
        "rps_bulk": 42,
        "in_flight": 3,
        "throttled": 7,
        "retried": 2,
        "failed": 4,
        "rate": 50.0,
        "peak": 51,
        "duplicates": 3,
    }
    assert metrics.peak == 0


def test_a_late_line_speaks_for_the_whole_time() -> None:
    metrics = Metrics()
    line = RateLine(metrics, 0.0, 1.0)
    metrics.outcomes[Sent] += 100
    fields = line.next(4.0)
    assert fields is not None
    assert fields["rps"] == 25


def test_an_early_last_line_does_not_exaggerate() -> None:
    metrics = Metrics()
    line = RateLine(metrics, 0.0, 1.0)
    metrics.outcomes[Sent] += 5
    fields = line.next(0.001)
    assert fields is not None
    assert fields["rps"] == 5


def test_silent_while_idle_but_for_the_line_that_ends_the_traffic() -> None:
    metrics = Metrics()
    line = RateLine(metrics, 0.0, 1.0)
    assert line.next(1.0) is None
    metrics.outcomes[Sent] += 1
    assert line.next(2.0) is not None
    last = line.next(3.0)
    assert last is not None
    assert last["rps"] == 0
    assert line.next(4.0) is None


@pytest.mark.parametrize("metrics", [Metrics(received=1), Metrics(in_flight=1)])
def test_what_is_only_under_way_is_traffic_too(metrics: Metrics) -> None:
    line = RateLine(Metrics(), 0.0, 1.0)
    line._metrics = metrics
    assert line.next(1.0) is not None


def test_the_reason_for_a_held_queue_is_logged() -> None:
    metrics = Metrics(received=0, held="expired credentials")
    line = RateLine(metrics, 0.0, 1.0)
    metrics.received += 1
    fields = line.next(1.0)
    assert fields is not None
    assert fields["held"] == "expired credentials"


def test_a_hold_of_bulk_mail_alone_is_logged_with_the_other_lane_going_on() -> None:
    metrics = Metrics(bulk_held="the quota's reserve")
    line = RateLine(metrics, 0.0, 1.0)
    for second in (1.0, 2.0):
        metrics.outcomes[Sent] += 3
        metrics.sent_by_lane[Lane.TRANSACTIONAL] += 3
        fields = line.next(second)
        assert fields is not None
        assert (fields["rps_transactional"], fields["rps_bulk"], fields["bulk_held"]) == (3, 0, "the quota's reserve")


def test_a_hold_is_logged_once_and_then_every_minute() -> None:
    metrics = Metrics(held="expired credentials")
    line = RateLine(metrics, 0.0, 1.0)
    logged = []
    for second in range(1, 131):
        metrics.received += 1  # what is held comes back and back
        metrics.outcomes[Held] += 1
        if line.next(float(second)):
            logged.append(second)
    assert logged == [1, 61, 121]
    metrics.outcomes[Throttled] += 1
    metrics.outcomes[Sent] += 1
    fields = line.next(131.0)
    assert fields is not None
    assert (fields["throttled"], fields["rps"]) == (1, 0)  # one mail in the ten seconds since the line before
    metrics.held = ""
    assert line.next(132.0) is not None


@pytest.fixture
def events() -> Iterator[asyncio.Queue[EventDict]]:
    queue: asyncio.Queue[EventDict] = asyncio.Queue()

    def collect(_: object, __: str, event: EventDict) -> EventDict:
        queue.put_nowait(event)
        raise structlog.DropEvent

    structlog.configure(processors=[collect])
    yield queue
    structlog.reset_defaults()


async def test_the_message_reads_as_operators_know_it(events: asyncio.Queue[EventDict]) -> None:
    metrics = Metrics()
    task = asyncio.create_task(report(metrics, interval=0.05))
    await asyncio.sleep(0)  # lets the task take its first count
    metrics.outcomes[Sent] += 2
    event = await asyncio.wait_for(events.get(), PATIENCE)
    assert event["event"] == "sending.rate"
    assert event["message"] == f"Sent per second (RPS): {event['rps']}"
    assert event["rps"] > 0
    ended = await asyncio.wait_for(events.get(), PATIENCE)
    assert ended["message"] == "Sent per second (RPS): 0"
    metrics.outcomes[Sent] += 1
    task.cancel()
    await asyncio.wait([task])
    assert events.get_nowait()["rps"] > 0
    assert events.empty()
