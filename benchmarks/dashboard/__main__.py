"""`python -m benchmarks.dashboard`: what the page costs.

First the daemon's CPU at 500 mails a second while nobody looks and while the page is open, in turns; then how long a
search takes with few and with a million mails, and each view with a million.
"""

import argparse
import logging

import structlog
import uvloop

from benchmarks.cores import BESIDE, on
from benchmarks.dashboard.open_page import Share, measure_open_page
from benchmarks.dashboard.search import measure_search
from benchmarks.dashboard.views import measure_views


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500, help="mails a second")
    parser.add_argument("--turns", type=int, default=16, help="how often the page is opened and closed again")
    parser.add_argument("--seconds", type=float, default=5, help="of each half of a turn")
    parser.add_argument("--viewers", type=int, default=1, help="pages that are open at once")
    parser.add_argument("--rows", type=int, default=1_000_000, help="mails in the file that is searched")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    with on(BESIDE):
        share = uvloop.run(measure_open_page(given.rate, given.turns, given.seconds, given.viewers))
        print(_cpu_table(share, given.rate, given.viewers), flush=True)
        print("\n| search over HTTP | " + " | ".join(f"{rows:,} mails" for rows in (1_000, given.rows)) + " |")
        print("|---|--:|--:|")
        few, many = (uvloop.run(measure_search(rows)) for rows in (1_000, given.rows))
        for what, milliseconds in few.items():
            print(f"| {what} | {milliseconds:.2f} ms | {many[what]:.2f} ms |", flush=True)
        print(f"\n| view, {given.rows:,} mails | answered in |\n|---|--:|")
        for view, milliseconds in uvloop.run(measure_views(given.rows)).items():
            print(f"| {view} | {milliseconds:.1f} ms |")


def _cpu_table(share: Share, rate: int, viewers: int) -> str:
    return (
        f"| the daemon at {rate} mails/s | CPU |\n|---|--:|\n"
        f"| nobody looks | {100 * share.closed:.1f} % |\n"
        f"| page open ({viewers}) | {100 * share.open:.1f} % |\n"
        f"| more | {100 * share.more:+.1f} % |"
    )


if __name__ == "__main__":
    main()
