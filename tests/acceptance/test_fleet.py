"""Many workers: the short forms of the crash proof's last row and of `python -m benchmarks.fleet`."""

from pathlib import Path

from benchmarks.crash_proof.fleet_rows import FleetSize, all_shown, fleet_killed
from benchmarks.fleet.cancel import cancel


async def test_mail_published_twice_survives_kills_and_a_stop_of_workers(tmp_path: Path) -> None:
    size = FleetSize(
        mails=300, rate=400, worker_kills=2, node_kills=0, sidecar_kills=0, stop_seconds=5, lease=4, grace=30
    )
    count = await fleet_killed(tmp_path, size)
    assert count.published == 300
    assert count.kills == 2
    assert all_shown(count) == "", count


async def test_a_cancelled_topic_is_settled_and_its_receipt_adds_up() -> None:
    assert (found := await cancel(2_000, workers=3, rate=200)).broken() == "", found
