"""The sending limits, by a clock that the test moves."""

from ses_sandbox.quota import DAY, DailyQuota, SendRate


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000_020.0

    def __call__(self) -> float:
        return self.now


def test_the_bucket_holds_one_second_and_refills() -> None:
    clock = Clock()
    rate = SendRate(10, clock)
    assert sum(rate.take(1) for _ in range(20)) == 10
    clock.now += 0.5
    assert sum(rate.take(1) for _ in range(20)) == 5
    clock.now += 60
    assert sum(rate.take(1) for _ in range(20)) == 10


def test_a_mail_to_more_than_the_bucket_holds_leaves_a_debt() -> None:
    clock = Clock()
    rate = SendRate(10, clock)
    assert rate.take(50)
    clock.now += 4
    assert not rate.take(1)
    clock.now += 0.2
    assert rate.take(1)


def test_a_rate_below_one_still_lets_single_mails_through() -> None:
    clock = Clock()
    rate = SendRate(0.5, clock)
    assert rate.take(1)
    clock.now += 1
    assert not rate.take(1)
    clock.now += 1
    assert rate.take(1)


def test_the_quota_window_rolls() -> None:
    clock = Clock()
    quota = DailyQuota(3, clock=clock)
    quota.count(2)
    clock.now += DAY / 2
    quota.count(1)
    assert not quota.allows(1)
    clock.now += DAY / 2
    assert (quota.used, quota.allows(2), quota.allows(3)) == (1, True, False)


def test_minus_one_is_unlimited_and_what_was_stored_counts() -> None:
    clock = Clock()
    quota = DailyQuota(-1, [(int(clock.now) // 60 - 1_440, 5), (int(clock.now) // 60 - 1, 7)], clock)
    assert quota.used == 7
    assert quota.allows(1_000_000)
    quota.restate(1)
    assert quota.used == 1
