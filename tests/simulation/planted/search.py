"""Looks for the seed that finds each planted fault."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.simulation.planted import PLANTED
from tests.simulation.scenario import Outcome, play


@dataclass(frozen=True, slots=True)
class Found:
    """What came of looking for one fault."""

    name: str
    scenario: str
    tried: int
    """How many seeds were played with the fault."""
    outcome: Outcome | None
    """Of the seed that found it; None if none did."""

    def __str__(self) -> str:
        where = f"seed {self.outcome.seed}" if self.outcome else "NOT FOUND"
        what = self.outcome.violations[0] if self.outcome else ""
        return f"{self.name:<46} {self.scenario:<12} {where:<10} {self.tried:>5} tried  {what}"


def search(seeds: range, *, names: tuple[str, ...] = tuple(PLANTED), jobs: int | None = None) -> Iterator[Found]:
    """The first of the seeds that violates a promise with the fault and none without it, for each fault."""
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        yield from pool.map(partial(_find, seeds), names)


def _find(seeds: range, name: str) -> Found:
    scenario = PLANTED[name].scenario
    for tried, seed in enumerate(seeds, 1):
        outcome = play(scenario, seed, planted=name)
        # What only crashes no longer fits the program.
        found = [each for each in outcome.violations if not each.startswith("crash: ")]
        if found and not play(scenario, seed).violations:
            outcome.violations = found
            return Found(name, scenario, tried, outcome)
    return Found(name, scenario, len(seeds), None)
