"""Counts by the time of sending: cohorts, windows, and what is left out."""

from email_consumer.reputation.counts import Counts
from email_consumer.reputation.rule import Outcomes

DAY = 86_400.0


def filled(mails: int, *, per_second: int = 10, start: float = 0.0) -> Counts:
    counts = Counts()
    for number in range(mails // per_second):
        counts.add_sent(start + number, per_second)
    return counts


def test_late_events_count_for_the_time_their_mail_was_sent() -> None:
    counts = filled(1_000)  # cohorts of 50 mails, five seconds each
    counts.add_report(7.0, bounced=True, complained=False)
    counts.add_report(99.0, bounced=False, complained=True)
    ends = list(counts.outcomes(100.0))
    assert ends[0] == Outcomes(50, 0, 0)
    assert ends[1] == Outcomes(100, 1, 0)
    assert ends[-1] == counts.total == Outcomes(1_000, 1, 1)


def test_the_windows_leave_out_what_is_older() -> None:
    counts = filled(1_000)
    for number in range(100):
        counts.add_sent(5_000.0 + number, 10)
    ends = list(counts.outcomes(5_100.0))
    assert Outcomes(1_000, 0, 0) in ends  # the last ten minutes
    assert Outcomes(2_000, 0, 0) in ends  # the day


def test_many_mails_take_little_memory_and_none_is_lost() -> None:
    counts = filled(200_000, per_second=100)
    assert len(counts.dump()) <= 128
    assert counts.total.sent == 200_000


def test_what_is_older_than_a_day_is_forgotten() -> None:
    counts = filled(1_000)
    counts.add_sent(DAY + 1_000, 1)
    assert counts.total.sent == 1


def test_a_part_is_left_out_of_the_whole() -> None:
    whole, part = filled(2_000, per_second=20), filled(1_000)
    for at in (3.0, 50.0, 51.0):
        whole.add_report(at, bounced=True, complained=False)
    part.add_report(3.0, bounced=True, complained=False)
    part.add_report(50.0, bounced=True, complained=False)
    whole.subtract(part)
    assert whole.total == Outcomes(1_000, 1, 0)


def test_it_is_the_same_after_a_restart() -> None:
    counts = filled(1_000)
    counts.add_report(7.0, bounced=True, complained=False)
    assert Counts.load(counts.dump()).dump() == counts.dump()


def test_events_of_mail_that_an_earlier_process_sent_are_counted() -> None:
    counts = Counts()
    counts.add_report(7.0, bounced=True, complained=False)
    assert counts.total == Outcomes(0, 1, 0)


def test_after_a_clock_was_ahead_reports_count_for_what_is_sent_by_the_right_one() -> None:
    counts = Counts()
    for begins in (0.0, 7 * DAY, 100.0):  # put forward for a week, and back
        for second in range(100):
            counts.add_sent(begins + second, 10)
    for second in range(100):
        counts.add_report(100.0 + second, bounced=True, complained=False)
    assert max(found.bounced / found.sent for found in counts.outcomes(200.0)) < 0.2
    for second in range(100):
        counts.add_sent(2 * DAY + second, 10)
        counts.add_report(2 * DAY + second, bounced=True, complained=False)
    assert list(counts.outcomes(2 * DAY + 100))[-1] == Outcomes(1_000, 100, 0)  # what is two days old counts no more


def test_a_clock_that_is_put_back_does_no_harm() -> None:
    counts = filled(1_000, start=1_000.0)
    counts.add_sent(10.0, 100)
    assert [each[0] for each in counts.dump()] == sorted(each[0] for each in counts.dump())
