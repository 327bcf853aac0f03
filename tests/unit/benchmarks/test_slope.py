"""How fast memory grows, as `benchmarks.soak` tells it."""

import pytest

from benchmarks.soak.figures import Sample, slope


def test_a_slope_and_its_interval() -> None:
    """A megabyte an hour, under a wave that is larger than what an hour adds."""
    wave = [0.5, -0.5] * 150
    samples = [Sample(10.0 * each, 100 + each / 360 + wave[each // 10], 30, 1) for each in range(300)]
    found = slope(samples)
    assert found.value == pytest.approx(1.0, abs=found.interval)
    assert 0.1 < found.interval < 1
