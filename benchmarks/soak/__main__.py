"""`python -m benchmarks.soak`: one daemon under everything at once, and what it has grown by in the end.

Mail at a steady rate, some for later, topics that are cancelled, bounces and complaints, webhooks, an open page; the daemon is
killed and restarted in the first quarter of the warm-up, NATS, the SES endpoint and the webhook receiver all the time.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks.soak.figures import first_and_last, slope
from benchmarks.soak.run import Plan, Result, soak


def report(result: Result) -> bool:
    """Print the table; whether nothing is lost, doubled, wrongly sent or untold."""
    count, memory = result.count, slope(result.samples)
    print("| | |\n|---|--:|")
    print(f"| mails · kills | {count.published:,} · {count.kills} |")
    print(f"| lost · doubled · parked | {count.lost} · {count.doubled} · {count.parked} |")
    print(f"| sent though cancelled | {result.sent_though_cancelled} of {result.cancelled} |")
    print(f"| reports without a webhook · wrong signatures | {result.untold} · {result.forged} |")
    print(f"| memory's slope (95 %) | {memory.value:+.2f} ± {memory.interval:.2f} MB/h |")
    for name, unit, what in (
        ("memory", " MB", lambda each: each.memory),
        ("descriptors", "", lambda each: each.descriptors),
        ("database", " MB", lambda each: each.file),
    ):
        first, last = first_and_last(result.samples, what)
        most = max(map(what, result.samples))
        print(f"| {name}: at first, in the end, at most | {first:.0f} · {last:.0f} · {most:.0f}{unit} |")
    return not (
        count.lost or count.doubled or count.parked or result.sent_though_cancelled or result.untold or result.forged
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=25, help="minutes of them that are not measured")
    parser.add_argument("--rate", type=float, default=200, help="mails a second")
    parser.add_argument("--strikes", type=int, default=60, help="kills and restarts")
    parser.add_argument("--retention", type=float, default=10, help="minutes for which finished mail is kept")
    given = parser.parse_args()
    plan = Plan(**vars(given))
    with tempfile.TemporaryDirectory() as directory:
        return 0 if report(asyncio.run(soak(Path(directory), plan))) else 1


if __name__ == "__main__":
    sys.exit(main())
