"""`python -m benchmarks.fleet`: prints a table each; exits non-zero if a promise is broken. `--only` runs one of them.

`rate`: 4 workers against an endpoint with a limit of its own, also while two leave and one joins. `cancel`: a topic of
10,000 queued mails. `side`: one worker and two, by CPU. `capacity`: what claims cost the nats-servers, and outcomes the
sidecar. `facts`: joining, and what all must know. The numbers are in docs/scaling.md.
"""

import argparse
import asyncio
import logging
import sys

import structlog
import uvloop

from benchmarks.cores import UNDER_TEST, on
from benchmarks.fleet import cancel, capacity, rate, shared_state, side_by_side


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["rate", "cancel", "side", "capacity", "facts"])
    parser.add_argument("--rate-seconds", type=float, default=30, help="length of each row of `rate`")
    parser.add_argument("--cancelled", type=int, default=10_000, help="mails of the topic that is cancelled")
    parser.add_argument("--side-rate", type=float, default=600, help="mails a second of each worker")
    parser.add_argument("--side-seconds", type=float, default=8, help="how long each is watched")
    parser.add_argument(
        "--mails", type=int, default=100_000, help="how many are claimed, and how many outcomes published"
    )
    parser.add_argument("--addresses", type=int, default=1_000_000, help="suppressed ones")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    kept = []
    if given.only in (None, "rate"):
        kept.append(asyncio.run(rate.table(given.rate_seconds)))
    if given.only in (None, "cancel"):
        kept.append(asyncio.run(cancel.table(given.cancelled)))
    if given.only in (None, "side"):
        kept.append(asyncio.run(side_by_side.table(given.side_rate, given.side_seconds)))
    if given.only in (None, "capacity"):
        uvloop.run(capacity.table(given.mails))
    if given.only in (None, "facts"):
        with on(UNDER_TEST):
            uvloop.run(shared_state.table(given.addresses))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
