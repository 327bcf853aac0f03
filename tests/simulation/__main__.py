"""`./run.sh simulate`: plays seeds, and says how to repeat the one that fails."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from itertools import count

from tests.simulation.coverage import table
from tests.simulation.planted import PLANTED
from tests.simulation.runner import run
from tests.simulation.scenario import ALL, SCENARIOS, play


def main() -> int:
    """Return 1 if a seed violates a promise."""
    parser = argparse.ArgumentParser(prog="./run.sh simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many to play in each scenario (default: 1000)")
    parser.add_argument("--minutes", type=float, help="play until this much time is over")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="where to begin")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each core)")
    parser.add_argument("--scenario", choices=sorted(ALL), action="append", help="default: all")
    parser.add_argument("--planted", choices=sorted(PLANTED), help="plant this fault into the program first")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happened")
    options = parser.parse_args()
    scenarios = tuple(options.scenario or SCENARIOS)
    if options.seed is not None:
        return _one(options.seed, scenarios, trace=options.trace, planted=options.planted)
    began = time.monotonic()
    numbers: Iterator[int] = count(options.first)
    if options.seeds or not options.minutes:
        numbers = iter(range(options.first, options.first + (options.seeds or 1000)))
    seconds = options.minutes * 60 if options.minutes else None
    totals = run(numbers, scenarios=scenarios, jobs=options.jobs, seconds=seconds, planted=options.planted)
    took = time.monotonic() - began
    played = sum(totals.seeds.values())
    print(table(totals.hits))
    print(
        f"{played:,} seeds in {took:,.0f} s ({played / took:.1f} a second), {totals.mails:,} mails,"
        f" {totals.seconds / 86_400:,.1f} simulated days, {sum(totals.hits.values()):,} faults"
    )
    for failure in totals.failures:
        for violation in failure.violations:
            print(f"VIOLATION: {violation}")
        planted = f" --planted {options.planted!r}" if options.planted else ""
        print(f"repeat it: ./run.sh simulate --scenario {failure.scenario} --seed {failure.seed} --trace{planted}")
    return 1 if totals.failures else 0


def _one(seed: int, scenarios: tuple[str, ...], *, trace: bool, planted: str | None) -> int:
    failed = False
    for name in scenarios:
        outcome = play(name, seed, tracing=trace, planted=planted)
        print("\n".join(outcome.trace))
        for violation in outcome.violations:
            print(f"VIOLATION: {violation}")
        print(f"{name}, seed {seed}: {len(outcome.violations)} violations")
        failed = failed or bool(outcome.violations)
    return int(failed)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # in which order a set is read is part of what a seed has to repeat
        os.execve(  # noqa: S606 - itself again
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
