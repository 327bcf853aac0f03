"""A crash at every point of one mail's life; `./run.sh simulate --exhaustive` plays all cases, and pairs of crashes."""

from bisect import bisect_right
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation import exhaustive
from tests.simulation.exhaustive import CASES, Case, Ending
from tests.simulation.seams import silent_logging
from tests.simulation.world import discarding

_OUTCOMES = {"run": {"accepted", "answer lost", "failed, then accepted", "503 after SES"}, "roles": {"accepted"}}
_SHORT = [
    case
    for case in CASES
    if (case.in_doubt, case.events) == ("resend", "prompt") and case.outcome in _OUTCOMES[case.ledger]
]
_ONE = Case("run", "run", "accepted", "resend", "prompt")


@pytest.mark.parametrize("case", _SHORT, ids=str)
def test_no_crash_of_the_short_form_breaks_a_promise(case: Case) -> None:
    [enumerated] = exhaustive.run([case], jobs=1)
    assert list(enumerated.first_failures()) == []
    assert enumerated.singles > 10


def test_callbacks_between_two_points_come_to_the_same_end() -> None:
    with ProcessPoolExecutor(1) as pool:
        points, endings = pool.submit(_every_callback, _ONE).result()
    assert len(endings) > 4 * len(points)
    for callback, ending in endings.items():
        point = endings[points[bisect_right(points, callback) - 1]]
        assert (ending.result, ending.violations) == (point.result, point.violations), callback


def _every_callback(case: Case) -> tuple[list[int], dict[int, Ending]]:
    """Its points, and what a crash after each callback comes to."""
    with silent_logging(), discarding():
        points = exhaustive.play(case).points
        callbacks = exhaustive.play(case, every_callback=True).points
    endings = {}
    for callback in callbacks:
        with silent_logging(), discarding():
            endings[callback] = exhaustive.play(case, (callback,), every_callback=True)
    return points, endings
