"""A crash at every point of one mail's life; `./run.sh simulate --exhaustive` plays all cases, and pairs of crashes."""

from tests.simulation import exhaustive
from tests.simulation.exhaustive import CASES

_SHORT = [
    case
    for case in CASES
    if (case.in_doubt, case.events) == ("resend", "prompt")
    and (case.ledger == "run" or case.outcome in {"accepted", "answer lost"})
]


def test_no_crash_of_the_short_form_breaks_a_promise() -> None:
    enumerated = list(exhaustive.run(_SHORT, jobs=2))
    assert [line for each in enumerated for line in each.first_failures()] == []
    assert len(enumerated) == len(_SHORT)
    assert all(each.singles > 10 for each in enumerated)
