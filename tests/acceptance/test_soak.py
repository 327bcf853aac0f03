"""The short form of `python -m benchmarks.soak`."""

from pathlib import Path

import pytest

from benchmarks.soak.__main__ import report
from benchmarks.soak.run import Plan, soak


async def test_everything_at_once_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = await soak(tmp_path, Plan(minutes=0.1, warm_up=0.05, rate=20, strikes=6, retention=1))
    assert report(result), capsys.readouterr().out
    assert result.count.kills >= 4
    assert result.cancelled
