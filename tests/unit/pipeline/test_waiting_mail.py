"""Whose turn it is, without any time: 1,000 turns are given while the lanes fill as each case says."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from email_consumer.message.lane import Lane
from email_consumer.pipeline.waiting_mail import Waiter, WaitingMail

BULK, TRANSACTIONAL = Lane.BULK, Lane.TRANSACTIONAL


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Queue:
    def __init__(self, loop: asyncio.AbstractEventLoop, bulk_floor: float) -> None:
        self.waiting = WaitingMail(bulk_floor)
        self._loop = loop

    def add(self, lane: Lane, recipients: int = 1) -> Waiter:
        waiter = Waiter(recipients, self._loop.create_future(), lambda: None, lane)
        self.waiting.add(waiter)
        return waiter

    def turn(self) -> Waiter | None:
        if waiter := self.waiting.next():
            self.waiting.take(waiter)
        return waiter

    def recipients(self, turns: int, *, refill: tuple[tuple[Lane, int], ...]) -> Counter[Lane]:
        """Recipients by lane of so many turns, while each lane in `refill` never becomes empty."""
        count: Counter[Lane] = Counter()
        for each in refill:
            self.add(*each)
        for _ in range(turns):
            waiter = self.turn()
            assert waiter
            count[waiter.lane] += waiter.recipients
            for lane, recipients in refill:
                if lane is waiter.lane:
                    self.add(lane, recipients)
        return count


def test_transactional_mail_is_first_however_much_bulk_mail_came_before(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(loop, 0.05)
    bulk = [queue.add(BULK) for _ in range(100)]
    urgent = [queue.add(TRANSACTIONAL) for _ in range(10)]
    assert [queue.turn() for _ in range(110)] == urgent + bulk


@pytest.mark.parametrize(("floor", "recipients"), [(0.05, 1), (0.05, 3), (0.2, 1), (0.2, 50), (0.5, 2)])
def test_the_floor_of_bulk_mail_is_exact(loop: asyncio.AbstractEventLoop, floor: float, recipients: int) -> None:
    count = Queue(loop, floor).recipients(20_000, refill=((BULK, recipients), (TRANSACTIONAL, 1)))
    assert count[BULK] == pytest.approx(floor * count.total(), abs=recipients)


def test_without_a_floor_bulk_mail_waits_for_as_long_as_it_takes(loop: asyncio.AbstractEventLoop) -> None:
    assert Queue(loop, 0.0).recipients(1_000, refill=((BULK, 1), (TRANSACTIONAL, 1)))[BULK] == 0


@pytest.mark.parametrize("lane", Lane)
def test_a_lane_that_waits_alone_has_every_turn(loop: asyncio.AbstractEventLoop, lane: Lane) -> None:
    assert Queue(loop, 0.05).recipients(1_000, refill=((lane, 1),)) == {lane: 1_000}


def test_nothing_is_owed_for_the_time_in_which_no_bulk_mail_waited(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(loop, 0.5)
    queue.recipients(1_000, refill=((TRANSACTIONAL, 1),))
    queue.add(BULK)
    queue.add(BULK)
    turns = [queue.turn(), queue.turn()]
    assert [waiter.lane for waiter in turns if waiter] == [TRANSACTIONAL, BULK]


def test_the_floor_is_kept_if_one_bulk_mail_waits_at_a_time(loop: asyncio.AbstractEventLoop) -> None:
    """As with few delivery slots: what is owed outlasts the moment until the next one comes."""
    queue, count = Queue(loop, 0.5), Counter[Lane]()
    for _ in range(1_000):
        queue.add(TRANSACTIONAL, 3)
    while count[TRANSACTIONAL] < 1_500:
        if not any(waiter.lane is BULK for waiter in queue.waiting):
            queue.add(BULK)
        waiter = queue.turn()
        assert waiter
        count[waiter.lane] += waiter.recipients
    assert count[BULK] == pytest.approx(count[TRANSACTIONAL], abs=3)


def test_held_bulk_mail_has_no_turn_and_is_owed_none(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(loop, 0.05)
    bulk = [queue.add(BULK) for _ in range(50)]
    queue.waiting.bulk_held = True
    for _ in range(1_000):
        queue.add(TRANSACTIONAL)
        assert queue.turn() not in bulk
    assert queue.waiting.next() is None
    queue.waiting.bulk_held = False
    for _ in range(18):
        queue.add(TRANSACTIONAL)
    assert [waiter.lane for waiter in (queue.turn() for _ in range(18)) if waiter] == [TRANSACTIONAL] * 18


def test_transactional_mail_waits_for_one_large_bulk_mail_at_most(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(loop, 0.05)
    for _ in range(10):
        queue.add(BULK, 50)
    lanes = []
    for _ in range(2_000):
        queue.add(TRANSACTIONAL)
        if waiter := queue.turn():
            lanes.append(waiter.lane)
    second = lanes.index(BULK, lanes.index(BULK) + 1)
    assert second - lanes.index(BULK) >= 50 / 0.05 - 50, "two at a time would be more than the floor"


def test_cancelled_mail_takes_nobodys_turn(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(loop, 0.05)
    gone, stays = queue.add(TRANSACTIONAL), queue.add(BULK)
    gone.future.cancel()
    assert queue.turn() is stays
    assert queue.turn() is None


def test_what_is_not_kept_leaves_both_lanes(loop: asyncio.AbstractEventLoop) -> None:
    queue = Queue(loop, 0.05)
    waiters = [queue.add(lane) for lane in (TRANSACTIONAL, TRANSACTIONAL, BULK, BULK)]
    queue.waiting.keep(lambda waiter: waiter in waiters[::2])
    assert list(queue.waiting) == waiters[::2]
