"""What can't be published at present: deferred until its time, bounded, and reported once for each reason."""

import pytest

from email_consumer.scheduling import deferred as module
from email_consumer.scheduling.deferred import Deferred, StoredContent


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def content(number: int) -> StoredContent:
    return StoredContent(number, f"{number:064X}")


def state(deferred: Deferred[StoredContent]) -> tuple[list[int], float | None]:
    return [each.id for each in deferred.current()], deferred.wait


def test_a_content_is_deferred_until_its_time() -> None:
    clock = Clock()
    deferred = Deferred[StoredContent](clock)
    assert state(deferred) == ([], None)
    deferred.add(content(1), "too large", 10.0)
    deferred.add(content(2), "no room", 5.0)
    assert state(deferred) == ([1, 2], 5.0)
    clock.now += 5.0
    assert deferred.wait == 0.0
    assert state(deferred) == ([1], 5.0)
    clock.now += 7.0
    assert deferred.wait == 0.0, "never negative: it is retried at once"
    assert state(deferred) == ([], None)


def test_a_reason_is_new_once() -> None:
    clock = Clock()
    deferred = Deferred[StoredContent](clock)
    assert deferred.add(content(1), "too large", 10.0)
    clock.now += 20.0
    assert not deferred.add(content(1), "too large", 10.0), "also after its time"
    assert deferred.wait == 10.0
    assert deferred.add(content(1), "larger than max_payload", 10.0)


def test_beyond_the_bound_the_oldest_is_retried_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    deferred = Deferred[StoredContent](Clock())
    for number in (1, 2, 1, 3):
        deferred.add(content(number), "no room", 10.0)
    assert deferred.current() == [content(1), content(3)], "1 was added again after 2"
    assert deferred.add(content(2), "no room", 10.0), "forgotten"
