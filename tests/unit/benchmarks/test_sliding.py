import pytest

from benchmarks.rate.sliding import most_in_a_second, sustained


@pytest.mark.parametrize(
    ("moments", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 0.5, 0.999], 3),
        ([0.0, 0.5, 1.0], 2),  # a second is half open: what is exactly one later is in the next
        ([0.0, 0.9, 1.0, 1.8, 3.0], 3),  # the fullest window begins anywhere, not at whole seconds
    ],
)
def test_the_fullest_second_is_found_wherever_it_begins(moments: list[float], most: int) -> None:
    assert most_in_a_second(moments) == most


def test_the_sustained_rate_counts_intervals_not_moments() -> None:
    assert sustained([1.0, 1.5, 2.0, 3.0]) == pytest.approx(1.5)
