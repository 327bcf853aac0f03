"""Whether a test or a seed notices a change."""

import signal
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.changes import Mutant
from tests.mutants.forks import in_forks
from tests.mutants.reach import Lines, Reach, traced
from tests.mutants.swap import Functions
from tests.simulation.scenario import SCENARIOS, play

_LEAST, _TIMES = 10.0, 10.0
"""Seconds after which what usually takes no time is held to hang, and how many times as long as usual anything else may take."""

Seed = tuple[str, int]
"""A scenario and a seed of it."""


class Verdict(StrEnum):
    """What became of a mutant."""

    TESTS = "killed by tests"
    SIMULATION = "killed by the simulation"
    HUNG = "hung or crashed"
    """Also noticed."""
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Found:
    """A mutant's fate."""

    verdict: Verdict
    by: str
    """The test or the seed that noticed it; for a survivor how many were asked."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is asked about each mutant. Times are in seconds, and without the mutant."""

    jobs: int = 1
    tests: float = 30.0
    """Of tests."""
    seeds: float = 15.0
    """Of the simulation."""
    per_scenario: int = 3
    """Seeds of each scenario that there are to choose from."""
    first: int = 0
    """The first of them."""


class Trial:
    """All tests are collected and all modules imported once; each mutant gets a copy of the process."""

    def __init__(self, items: Iterable[pytest.Item], files: Iterable[Path], bounds: Bounds) -> None:
        self._items = {item.nodeid: item for item in items}
        self._bounds = bounds
        self._functions = Functions()
        self._files = frozenset(str(file.absolute()) for file in files)
        self._tests, self._seeds = Reach(), Reach()

    def prepare(self) -> None:
        """Find out which lines each test and each seed executes. What fails without any change is not asked."""
        files: defaultdict[str, list[str]] = defaultdict(list)
        for test in self._items:
            files[test.partition("::")[0]].append(test)
        for _, found, _ in in_forks(files.values(), self._reached_by_tests, jobs=self._bounds.jobs, seconds=300.0):
            for test, lines, seconds in found or ():
                self._tests.add(test, lines, seconds)
        first = self._bounds.first
        seeds = [(name, seed) for seed in range(first, first + self._bounds.per_scenario) for name in SCENARIOS]
        for seed, reached, _ in in_forks(seeds, self._reached_by_seed, jobs=self._bounds.jobs, seconds=300.0):
            if reached:
                self._seeds.add(seed, *reached)

    def run(self, mutants: Iterable[Mutant], report: Callable[[Mutant, Found], None]) -> None:
        """Try each of them. `report` is called with each, once its fate is known."""
        for mutant, found, took in in_forks(mutants, self._try, jobs=self._bounds.jobs, seconds=300.0):
            report(mutant, found or Found(Verdict.HUNG, f"after {took:.0f} s"))

    def _try(self, mutant: Mutant) -> Found:
        if not self._functions.change(mutant):
            return Found(Verdict.SURVIVED, "compiles to the same")
        tests = self._tests.of(mutant, seconds=self._bounds.tests)
        for number, (test, usual) in enumerate(tests):
            _end_after(usual)
            following = tests[number + 1][0] if number + 1 < len(tests) else None
            if self._fails(test, following):
                return Found(Verdict.TESTS, test)
        seeds = self._seeds.of(mutant, seconds=self._bounds.seeds)
        for (scenario, seed), usual in seeds:
            _end_after(usual)
            if violations := play(scenario, seed).violations:
                return Found(Verdict.SIMULATION, f"{scenario} {seed}: {violations[0]}")
        return Found(Verdict.SURVIVED, f"{len(tests)} tests, {len(seeds)} seeds")

    def _fails(self, test: str, following: str | None) -> bool:
        """`following`: what runs next in this process, so that what both share is set up once."""
        reports = runtestprotocol(self._items[test], log=False, nextitem=self._items[following] if following else None)
        return any(report.failed for report in reports)

    def _reached_by_tests(self, tests: list[str]) -> list[tuple[str, Lines, float]]:
        reached = []
        for number, test in enumerate(tests):
            following = tests[number + 1] if number + 1 < len(tests) else None
            failed: list[bool] = []
            lines, seconds = traced(self._files, lambda: failed.append(self._fails(test, following)))  # noqa: B023
            if not failed[0]:
                reached.append((test, lines, seconds))
        return reached

    def _reached_by_seed(self, seed: Seed) -> tuple[Lines, float] | None:
        violations: list[str] = []
        reached = traced(self._files, lambda: violations.extend(play(*seed).violations))
        return None if violations else reached


def _end_after(usual: float) -> None:
    """End this process if what comes now hangs: without an answer, it counts as noticed. `usual`: seconds."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _LEAST + _TIMES * usual)
