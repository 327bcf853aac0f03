"""The short form of `python -m benchmarks.soak`."""

from pathlib import Path

import pytest

from benchmarks.soak.__main__ import report
from benchmarks.soak.figures import Sample, slope
from benchmarks.soak.run import Plan, soak


async def test_everything_at_once_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = await soak(tmp_path, Plan(minutes=0.1, warm_up=0.05, rate=20, strikes=6, retention=1))
    assert report(result), capsys.readouterr().out
    assert result.count.kills >= 4
    assert result.cancelled


def test_a_slope_and_its_interval() -> None:
    """Beside a table of Student's distribution: 2.048 with 28 degrees of freedom."""
    wave = [0.5, -0.5] * 150
    samples = [Sample(10.0 * each, 100 + each / 360 + wave[each // 10], 30, 1) for each in range(300)]
    found = slope(samples)
    assert found.value == pytest.approx(1.0, abs=found.interval)
    assert 0.1 < found.interval < 1
