"""`python -m benchmarks.rate`: four rates by two clocks, and an endpoint that enforces a lower limit of its own.

The release clock is the daemon's own: the most recipients that it let go in any sliding second, the first one included.
The endpoint's clock is when requests arrived, after network and scheduler have had their part. What is sustained is
counted from one second after the first arrival: a program that is at full speed at once first opens its connections.
Exits non-zero if a row misses what is promised: at least 99.5 % of the rate, at most rate + max(1, 1 %) a second by the release clock; against a
lower limit, after 10 s, at most 1 % throttled and at least 95 % used, no attempt spent, none lost.
"""

import argparse
import asyncio
import math
import sys

from benchmarks.cores import BESIDE, on
from benchmarks.rate.harness import start_harness
from benchmarks.rate.sliding import most_in_a_second, sustained

_RATES = (14, 50, 500, 2_000)
_LIMIT, _SETTING = 200, 500
_OPENING = 1
"""Seconds in which connections are opened; at thousands a second that is what the core is busy with."""
_SETTLING = 10
"""Seconds until the limit must have been found."""


async def keep(rate: int, seconds: float) -> bool:
    """One rate; whether it was kept."""
    mails = math.ceil(rate * seconds) + 1
    async with start_harness(mails=mails, rate=rate) as running:
        await running.wait_accepted(mails)
        await running.wait_settled()
        arrived = (await running.endpoint.arrivals()).accepted
        released = max(line["peak"] for line in running.rate_lines())
    share = sustained([moment for moment in arrived if moment >= arrived[0] + _OPENING]) / rate
    most = math.floor(rate + max(1, rate / 100))
    kept = share >= 0.995 and released <= most
    print(
        f"| {rate:,}/s | {share:.2%} | {released:,} (at most {most:,}) | {most_in_a_second(arrived):,} | {_verdict(kept)} |",
        flush=True,
    )
    return kept


async def feel(seconds: float, *, announced: float) -> bool:
    """An endpoint that enforces `_LIMIT` while the setting is `_SETTING`; whether it was found."""
    mails = math.ceil(_LIMIT * (seconds + 1))
    async with start_harness(mails=mails, rate=_SETTING, enforced=_LIMIT, announced=announced) as running:
        await running.wait_accepted(mails)
        await running.wait_settled()
        arrivals = await running.endpoint.arrivals()
        spent = running.attempts_spent()
    begin = min(arrivals.accepted[:1] + arrivals.throttled[:1]) + _SETTLING
    accepted = [moment for moment in arrivals.accepted if moment >= begin]
    throttled = sum(moment >= begin for moment in arrivals.throttled)
    share, used = throttled / (throttled + len(accepted)), sustained(accepted) / _LIMIT
    lost = mails - len(arrivals.accepted)
    kept = share <= 0.01 and used >= 0.95 and not spent and not lost
    title = f"GetAccount says {announced:g}/s" if announced else "GetAccount is forbidden"
    print(f"| {title} | {share:.2%} | {used:.1%} | {spent} | {lost} | {_verdict(kept)} |", flush=True)
    return kept


def _verdict(kept: bool) -> str:
    return "kept" if kept else "MISSED"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="length of each rate's row")
    parser.add_argument("--limited-seconds", type=float, default=60, help="length of the rows against a lower limit")
    parser.add_argument("--rates", type=int, nargs="*", default=_RATES)
    given = parser.parse_args()
    with on(BESIDE):
        print("| rate | sustained | most in a second, released | most in a second, arrived | |\n|--:|--:|--:|--:|---|")
        kept = [asyncio.run(keep(rate, given.seconds)) for rate in given.rates]
        if given.limited_seconds:
            print(
                f"\n| limit {_LIMIT}/s, setting {_SETTING}/s | throttled after {_SETTLING} s | used | attempts spent | lost | |"
            )
            print("|---|--:|--:|--:|--:|---|", flush=True)
            kept += [asyncio.run(feel(given.limited_seconds, announced=announced)) for announced in (_LIMIT, 0.0)]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
