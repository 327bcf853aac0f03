"""The rule by which workers share the rate, on clocks and a log of the tests' own."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from email_consumer.cluster.share_rule import MemberRecord, MemberState, Roster

TTL, MARGIN = 6.0, 1.0


def names(prefix: str) -> Callable[[], str]:
    numbers: Iterator[int] = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def roster(prefix: str) -> Roster:
    roster = Roster({"host": prefix}, names(prefix), ttl=TTL, margin=MARGIN)
    roster.found(age=TTL, now=0)
    return roster


def exchange(rosters: list[Roster], now: float) -> None:
    """Each writes, and all read everything."""
    records = [(each.name, each.write(now)) for each in rosters]
    for each in rosters:
        for name, record in records:
            each.read(name, record, now)
        each.caught_up(now)


def test_a_worker_alone_sends_once_it_has_read_its_own_record() -> None:
    a = roster("a")
    a.caught_up(0)
    assert a.state(0) == MemberState(1, sends=False)
    a.read(a.name, a.write(0), 0.1)
    assert a.state(0.1) == MemberState(1, sends=False)
    a.caught_up(0.1)
    assert a.state(0.1) == MemberState(1, sends=True)


def test_a_joiner_waits_until_the_others_have_made_room() -> None:
    a, b = roster("a"), roster("b")
    exchange([a], 0)
    b.read(a.name, a.write(0), 1)
    b.caught_up(1)
    joining = b.write(1)
    b.read(b.name, joining, 1)
    b.caught_up(1)
    assert b.state(1) == MemberState(2, sends=False)
    assert a.state(1) == MemberState(1, sends=True)
    assert a.read(b.name, joining, 2)
    assert a.state(2) == MemberState(2, sends=True)
    b.read(a.name, a.write(2), 2)
    b.caught_up(2)
    assert b.state(2) == MemberState(2, sends=True)


def test_a_record_that_is_read_while_more_is_to_come_proves_nothing() -> None:
    a, b = roster("a"), roster("b")
    exchange([a], 0)
    b.caught_up(1)  # a's first record was just replaced by a later one, behind that of b
    b.read(b.name, b.write(1), 1)
    assert b.state(1) == MemberState(1, sends=False)
    b.read(a.name, a.write(1), 1)
    b.caught_up(1)
    assert b.state(1) == MemberState(2, sends=False)


def test_who_leaves_is_forgotten_at_once() -> None:
    a, b = roster("a"), roster("b")
    exchange([a, b], 0)
    exchange([a, b], 1)
    assert a.state(1) == MemberState(2, sends=True)
    a.read(b.name, None, 2)
    assert a.state(2) == MemberState(1, sends=True)


def test_who_dies_is_forgotten_after_the_ttl_by_who_has_read_on() -> None:
    a, b = roster("a"), roster("b")
    exchange([a, b], 0)
    exchange([a, b], 1)
    for now in range(2, 7):
        exchange([a], now)
        assert a.state(now) == MemberState(2, sends=True)
    exchange([a], 7)
    assert a.state(7) == MemberState(1, sends=True)


def test_who_reads_nothing_forgets_nobody_and_stops_before_it_is_forgotten() -> None:
    a, b = roster("a"), roster("b")
    exchange([a, b], 0)
    exchange([a, b], 1)
    assert a.valid_until == 1 + TTL - MARGIN
    assert a.state(5.9) == MemberState(2, sends=True)
    assert a.state(6) == MemberState(2, sends=False)
    assert a.valid_until == 0


def test_silence_counts_only_as_far_as_one_has_read() -> None:
    a, b = roster("a"), roster("b")
    exchange([a, b], 0)
    exchange([a, b], 1)
    exchange([a], 4)
    a.caught_up(8)  # what b wrote since may be on its way, behind what a reads
    assert a.state(8) == MemberState(2, sends=True)


def test_who_had_to_stop_rejoins_under_another_name() -> None:
    a, b = roster("a"), roster("b")
    exchange([a, b], 0)
    exchange([a, b], 1)
    before = a.name
    stale = a.write(2)
    assert not a.state(10).sends
    assert a.name != before
    assert a.former_names == {before}
    a.read(before, stale, 10)  # comes back too late to count
    a.caught_up(10)
    assert a.state(10) == MemberState(2, sends=False)
    a.read(before, None, 10)
    assert not a.former_names


def test_what_a_name_was_promised_holds_for_that_name_only() -> None:
    a, b = roster("a"), roster("b")
    exchange([a, b], 0)
    exchange([a, b], 1)
    promise = b.write(2)
    assert not a.state(10).sends
    a.read(b.name, promise, 10)
    a.read(a.name, a.write(10), 10)
    a.caught_up(10)
    assert a.state(10) == MemberState(2, sends=False)


def test_a_name_that_was_not_confirmed_in_time_is_given_up() -> None:
    a = roster("a")
    late = a.write(0)
    name = a.name
    a.read(name, late, 5)
    a.caught_up(5)
    assert a.state(5) == MemberState(1, sends=False)
    assert a.name != name


@pytest.mark.parametrize("workers", [2, 5])
def test_those_who_start_together_all_send_after_two_rounds(workers: int) -> None:
    rosters = [roster(chr(ord("a") + index)) for index in range(workers)]
    exchange(rosters, 0)
    assert not any(each.state(0).sends for each in rosters)
    exchange(rosters, 0.1)
    assert all(each.state(0.1) == MemberState(workers, sends=True) for each in rosters)


def test_in_a_young_log_nobody_begins_and_a_sending_worker_goes_on() -> None:
    a, b = roster("a"), roster("b")
    exchange([a], 0)
    for each in (a, b):
        each.found(age=1, now=1)
    exchange([a, b], 1)
    exchange([a, b], 5.5)
    assert a.state(5.5) == MemberState(2, sends=True)
    assert b.state(5.5) == MemberState(2, sends=False)
    exchange([a, b], 6)
    assert b.state(6) == MemberState(2, sends=True)


def test_who_has_lost_the_log_waits_to_know_the_age_of_the_next() -> None:
    a = roster("a")
    a.lost()
    exchange([a], 100)
    assert a.state(100) == MemberState(1, sends=False)
    a.found(age=TTL, now=100)
    a.caught_up(100)
    assert a.state(100) == MemberState(1, sends=True)


def test_what_is_written_names_those_who_are_known() -> None:
    a, b = roster("a"), roster("b")
    exchange([a, b], 0)
    assert a.write(1) == MemberRecord(1, frozenset({b.name}), {"host": "a"})
    assert a.others == {b.name: MemberRecord(0, frozenset(), {"host": "b"})}
