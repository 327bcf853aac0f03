"""`python -m benchmarks.crash_proof`: runs every row, prints the table, and fails if a promise is broken."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.crash_proof.fleet_rows import FleetSize
from benchmarks.crash_proof.peers import compare
from benchmarks.crash_proof.rows import ROWS, Row, Size

_HEADER = "| what happens | mails | kills | lost | doubled | in doubt at the kills | parked | seconds | promise |"


async def prove(row: Row, size: Size) -> bool:
    """Run one row and print it; whether its promise holds."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        count = await row.run(Path(directory), size)
    broken = row.broken(count)
    seconds = round(time.monotonic() - began)
    print(
        f"| {row.name} | {count.published} | {count.kills} | {count.lost} | {count.doubled} | {count.in_doubt} "
        f"| {count.parked} | {seconds} | {f'BROKEN: {broken}' if broken else 'kept'} |",
        flush=True,
    )
    return not broken


def main() -> int:
    """All rows, or those whose name holds a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, help="10,000; with --peers 2,000, and fewer for slow ones")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this word")
    fleet = FleetSize()
    parser.add_argument("--fleet-mails", type=int, default=fleet.mails)
    parser.add_argument("--fleet-rate", type=float, default=fleet.rate, help="mails a second")
    parser.add_argument("--worker-kills", type=int, default=fleet.worker_kills)
    parser.add_argument("--node-kills", type=int, default=fleet.node_kills)
    parser.add_argument("--sidecar-kills", type=int, default=fleet.sidecar_kills)
    parser.add_argument("--peers", action="store_true", help="this program and its peers under the same faults instead")
    parser.add_argument("--runs", type=int, default=3, help="with --peers: of each")
    given = parser.parse_args()
    if given.peers:
        asyncio.run(compare(given.mails or 2_000, given.runs, given.only))
        return 0
    fleet = FleetSize(
        mails=given.fleet_mails,
        rate=given.fleet_rate,
        worker_kills=given.worker_kills,
        node_kills=given.node_kills,
        sidecar_kills=given.sidecar_kills,
        seed=given.seed,
    )
    size = Size(given.mails or 10_000, given.kills, given.seed, fleet)
    print(_HEADER, "|---" * 9 + "|", sep="\n", flush=True)
    kept = [asyncio.run(prove(row, size)) for row in ROWS if given.only in row.name]
    return 0 if kept and all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
