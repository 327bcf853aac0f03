"""The short form of `python -m benchmarks.crash_proof`: the rows that need no long waits, with few mails."""

from pathlib import Path

import pytest

from benchmarks.crash_proof.rows import ROWS, Row, Size

_SHORT = ("daemon killed", "nats-server killed", "SES endpoint killed")


@pytest.mark.parametrize("row", [row for row in ROWS if row.name.startswith(_SHORT)], ids=lambda row: str(row.name))
async def test_promises_survive_kills(row: Row, tmp_path: Path) -> None:
    count = await row.run(tmp_path, Size(mails=300, kills=3))
    assert count.published == 300
    assert count.kills == 3
    assert row.broken(count) == "", count
