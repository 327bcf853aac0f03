"""`./run.sh mutants`: changes one thing after the other, and says which changes nothing notices."""

import argparse
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.changes import Mutant, mutants
from tests.mutants.explained import EXPLAINED
from tests.mutants.scope import modules, tests
from tests.mutants.trial import Bounds, Found, Trial, Verdict


class Session:
    """What pytest calls once it has collected the tests."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self.files = list(modules(options.only))
        self._count: Counter[tuple[Path, Verdict]] = Counter()
        self._explained: Counter[Path] = Counter()
        self.survivors: list[tuple[Mutant, str]] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try mutants instead of running the tests once."""
        options = self._options
        wanted = [each for file in self.files for each in mutants(file) if self._is_wanted(each)]
        if options.limit and len(wanted) > options.limit:
            wanted = sorted(random.Random(options.first).sample(wanted, options.limit), key=str)
        bounds = Bounds(
            options.jobs, options.tests, options.seeds, per_scenario=options.per_scenario, first=options.first
        )
        trial = Trial(session.items, self.files, bounds)
        trial.prepare()
        print(f"{len(wanted)} mutants of {len(self.files)} modules, {len(session.items)} tests", flush=True)
        trial.run(wanted, self._report)
        return True

    def _is_wanted(self, mutant: Mutant) -> bool:
        changes = self._options.change
        return not changes or any(text in mutant.name for text in changes)

    def _report(self, mutant: Mutant, found: Found) -> None:
        self._count[mutant.path, found.verdict] += 1
        if found.verdict is Verdict.SURVIVED:
            if mutant.name in EXPLAINED:
                self._explained[mutant.path] += 1
            else:
                self.survivors.append((mutant, found.by))
        if self._options.verbose or (found.verdict is Verdict.SURVIVED and mutant.name not in EXPLAINED):
            print(f"{found.verdict}: {mutant}  [{found.by}]", flush=True)

    def table(self) -> str:
        """Modules in rows, verdicts in columns."""
        paths = sorted({path for path, _ in self._count})
        lines = [f"{'':<50} mutants   tests  simulation   hung  explained  survivors"]
        for path in [*paths, None]:
            tests, simulation, hung, survived = (
                sum(count for (at, each), count in self._count.items() if each is verdict and path in {at, None})
                for verdict in Verdict
            )
            explained = self._explained[path] if path else self._explained.total()
            total = tests + simulation + hung + survived
            lines.append(
                f"{path or 'all'!s:<50} {total:>7} {tests:>7} {simulation:>11} {hung:>6} {explained:>10} {survived - explained:>10}"
            )
        return "\n".join(lines)


def main() -> int:
    """Return 1 if there is a survivor that is not explained."""
    parser = argparse.ArgumentParser(prog="./run.sh mutants", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="modules whose path contains it")
    parser.add_argument("--change", action="append", default=[], metavar="TEXT", help="changes whose name contains it")
    parser.add_argument(
        "--asked", action="append", metavar="PATH", help="tests to ask, instead of those of the modules"
    )
    parser.add_argument("--limit", type=int, help="so many, drawn at random")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: one for each core)")
    parser.add_argument("--tests", type=float, default=30.0, metavar="SECONDS", help="of tests for each (default: 30)")
    parser.add_argument("--seeds", type=float, default=15.0, metavar="SECONDS", help="of seeds for each (default: 15)")
    parser.add_argument("--per-scenario", type=int, default=3, metavar="N", help="seeds to choose from (default: 3)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them")
    parser.add_argument("--verbose", action="store_true", help="also say what notices the others")
    options = parser.parse_args()
    session = Session(options)
    status = pytest.main(["-s", "-p", "no:cacheprovider", *(options.asked or tests(session.files))], plugins=[session])
    print(session.table())
    return int(status) or int(bool(session.survivors))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # seeds repeat only with it
        os.execve(  # noqa: S606 - itself again
            sys.executable,
            [sys.executable, "-m", "tests.mutants", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
