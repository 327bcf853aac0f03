"""When bounces and complaints are too many: bad lists are found early, good ones never accused."""

import random
from itertools import accumulate

import pytest

from email_consumer.reputation.counts import Counts
from email_consumer.reputation.rule import Level, Outcomes, Thresholds, judge, lower_bound

DEFAULTS = Thresholds(0.04, 0.08, 0.0008, 0.003, least_mails=200)


@pytest.mark.parametrize(
    ("outcomes", "level"),
    [
        (Outcomes(199, 199, 0), None),  # too few
        (Outcomes(200, 16, 0), None),  # 8 %, but of few
        (Outcomes(200, 40, 0), Level.STOP),
        (Outcomes(400, 80, 0), Level.STOP),
        (Outcomes(10_000, 799, 0), Level.WARN),
        (Outcomes(1_000_000, 81_000, 0), Level.STOP),
        (Outcomes(10_000, 390, 0), None),
        (Outcomes(1_000, 0, 4), None),  # four complaints prove nothing
        (Outcomes(1_000, 0, 15), Level.STOP),
        (Outcomes(20_000, 0, 40), Level.WARN),
    ],
)
def test_a_rate_counts_as_far_as_it_is_certain(outcomes: Outcomes, level: Level | None) -> None:
    finding = judge([outcomes], DEFAULTS)
    assert (finding.level if finding else None) == level


def test_the_worst_of_several_windows_counts() -> None:
    finding = judge([Outcomes(10_000, 799, 0), Outcomes(500, 100, 0)], DEFAULTS)
    assert finding is not None
    assert (finding.level, finding.mails) == (Level.STOP, 500)
    assert str(finding) == "20.00% of 500 mails bounced, which is certain to be above 8.00%"


def test_what_is_switched_off_is_not_judged() -> None:
    assert judge([Outcomes(1_000, 1_000, 1_000)], Thresholds(0, 0, 0, 0, least_mails=1)) is None


def test_a_share_of_everything_is_certain_to_be_less_than_everything() -> None:
    assert 0.9 < lower_bound(100, 100) < 1
    assert lower_bound(150, 100) == lower_bound(100, 100)  # several recipients of a mail may bounce


def test_a_good_list_never_trips_in_a_thousand_runs() -> None:
    """100,000 mails, 1.5 % bounces and 0.03 % complaints, judged after every 1,000 in windows of several lengths."""
    chance = random.Random(17)
    bounces, complaints = _binomial(_GROUP, 0.015), _binomial(_GROUP, 0.0003)
    stopped: list[str] = []
    for _ in range(1_000):
        bounced = list(accumulate(chance.choices(_COUNTS, cum_weights=bounces, k=100), initial=0))
        complained = list(accumulate(chance.choices(_COUNTS, cum_weights=complaints, k=100), initial=0))
        for end in range(1, 101):
            windows = [
                Outcomes(_GROUP * (end - start), bounced[end] - bounced[start], complained[end] - complained[start])
                for start in {0, end - 1, max(0, end - 10)}
            ]
            if (finding := judge(windows, DEFAULTS)) and finding.level is Level.STOP:
                stopped.append(str(finding))
    assert stopped == []


_GROUP = 1_000
_COUNTS = range(100)


def _binomial(mails: int, share: float) -> list[float]:
    """Cumulative weights of a binomial distribution up to its 99, beyond which nothing is left here."""
    weights, weight = [], (1 - share) ** mails
    for count in _COUNTS:
        weights.append(weight)
        weight *= (mails - count) / (count + 1) * share / (1 - share)
    return list(accumulate(weights))


@pytest.mark.parametrize("delay", [1.0, 10.0, 60.0])
def test_a_bad_list_is_found_within_the_delay_of_its_events(delay: float) -> None:
    """20 % bounces at 200/s: at most 400 mails more than are sent during the delay."""
    chance, counts = random.Random(7), Counts()
    due: list[tuple[float, float]] = []
    sent = 0
    for tick in range(10 * 200):
        now = tick / 10
        counts.add_sent(now, 20)
        sent += 20
        due += [(now + chance.uniform(1.0, max(1.0, delay)), now) for _ in range(20) if chance.random() < 0.2]
        for event in [event for event in due if event[0] <= now]:
            due.remove(event)
            counts.add_report(event[1], bounced=True, complained=False)
        finding = judge(counts.outcomes(now), DEFAULTS)
        if finding and finding.level is Level.STOP:
            break
    assert sent <= 200 * delay + 400
