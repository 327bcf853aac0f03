"""`./run.sh simulate`: plays seeds, and says how to repeat the one that fails."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import count

from tests.simulation import exhaustive
from tests.simulation.coverage import rare, table
from tests.simulation.planted import PLANTED
from tests.simulation.planted.search import search
from tests.simulation.runner import run
from tests.simulation.scenario import SCENARIOS, Outcome, play


def main() -> int:
    """Return 1 if a seed violates a promise."""
    parser = argparse.ArgumentParser(prog="./run.sh simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, help="how many to play in each scenario (default: 1000)")
    parser.add_argument("--minutes", type=float, help="play until this much time is over")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="where to begin")
    parser.add_argument("--failures", type=int, default=1, help="how many seeds with a violation end it (default: 1)")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each core)")
    parser.add_argument("--scenario", choices=list(SCENARIOS), action="append", help="default: all")
    parser.add_argument(
        "--planted",
        choices=["all", *sorted(PLANTED)],
        metavar="FAULT",
        help=f"plant this fault into the program first, or look for the seed that finds each: {', '.join(PLANTED)}",
    )
    parser.add_argument(
        "--forgetful", action="store_true", help="with a nats-server that also loses what it has acknowledged"
    )
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happened")
    parser.add_argument(
        "--exhaustive", action="store_true", help="one mail, with every crash and every pair of crashes"
    )
    parser.add_argument("--case", help="with --exhaustive: only cases whose name contains this text")
    parser.add_argument("--crashes", type=int, nargs="+", help="with --case: play it with these crashes alone")
    options = parser.parse_args()
    if options.exhaustive:
        return _exhaustive(options.case or "", options.crashes, jobs=options.jobs, trace=options.trace)
    if options.planted == "all":
        return _planted(range(options.first, options.first + (options.seeds or 2000)), jobs=options.jobs)
    scenarios = tuple(options.scenario or SCENARIOS)
    if options.seed is not None:
        return _one(options.seed, scenarios, options)
    began = time.monotonic()
    numbers: Iterator[int] = count(options.first)
    if options.seeds or not options.minutes:
        numbers = iter(range(options.first, options.first + (options.seeds or 1000)))
    seconds = options.minutes * 60 if options.minutes else None
    totals = run(
        numbers,
        scenarios=scenarios,
        jobs=options.jobs,
        seconds=seconds,
        planted=options.planted,
        forgetful=options.forgetful,
        failures=options.failures,
        failed=partial(_tell, options=options),
    )
    took = time.monotonic() - began
    played = sum(totals.seeds.values())
    print(table(totals.hits))
    print(rare(totals.hits))
    for name, seeds in totals.seeds.items():
        print(f"{name:<12} {seeds:>7,} seeds, {totals.cost[name] / seeds:,.0f} ms of CPU each")
    print(
        f"{played:,} seeds in {took:,.0f} s ({played / took:.1f} a second), {totals.mails:,} mails,"
        f" {totals.seconds / 86_400:,.1f} simulated days, {sum(totals.hits.values()):,} faults"
    )
    return 1 if totals.failures else 0


def _tell(failure: Outcome, *, options: argparse.Namespace) -> None:
    for violation in failure.violations:
        print(f"VIOLATION: {violation}")
    also = f" --planted {options.planted!r}" if options.planted else ""
    also += " --forgetful" if options.forgetful else ""
    print(f"repeat it: ./run.sh simulate --scenario {failure.scenario} --seed {failure.seed} --trace{also}", flush=True)


def _one(seed: int, scenarios: tuple[str, ...], options: argparse.Namespace) -> int:
    failed = False
    for name in scenarios:
        outcome = play(name, seed, tracing=options.trace, planted=options.planted, forgetful=options.forgetful)
        print("\n".join(outcome.trace))
        for violation in outcome.violations:
            print(f"VIOLATION: {violation}")
        print(f"{name}, seed {seed}: {len(outcome.violations)} violations")
        failed = failed or bool(outcome.violations)
    return int(failed)


def _planted(seeds: range, *, jobs: int | None) -> int:
    missed = 0
    for found in search(seeds, jobs=jobs):
        missed += found.outcome is None
        print(found, flush=True)
    print(f"{len(PLANTED) - missed} of {len(PLANTED)} planted faults found within {len(seeds):,} seeds")
    return int(missed > 0)


def _exhaustive(wanted: str, crashes: list[int] | None, *, jobs: int | None, trace: bool) -> int:
    cases = [case for case in exhaustive.CASES if wanted in str(case)]
    if crashes:
        endings = [exhaustive.play_alone(case, tuple(crashes), tracing=trace) for case in cases]
        for ending in endings:
            print("\n".join((*ending.trace, *(f"VIOLATION: {each}" for each in ending.violations), f"{ending.result}")))
        return int(any(ending.violations for ending in endings))
    began, singles, pairs, failed = time.monotonic(), 0, 0, 0
    for found in exhaustive.run(cases, pairs=True, jobs=jobs):
        singles, pairs, failed = singles + found.singles, pairs + found.pairs, failed + len(found.failures)
        print(
            f"{found.case}: {found.singles} crashes, {found.pairs} pairs, {len(found.failures)} violations", flush=True
        )
        print("\n".join(found.first_failures()), end="\n" if found.failures else "")
    took = time.monotonic() - began
    print(f"{len(cases)} cases, {singles:,} crashes, {pairs:,} pairs, {failed:,} violations, {took:,.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # in which order a set is read is part of what a seed has to repeat
        os.execve(  # noqa: S606 - itself again
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    status = main()
    sys.stdout.flush()
    os._exit(status)  # CPython 3.11 may crash where it collects the coroutines of the last world at its end
