"""Looks for the seed that finds each planted fault."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.planted import PLANTED
from tests.simulation.scenario import SCENARIOS, Outcome, play


def search(
    seeds: range, *, names: tuple[str, ...] = tuple(PLANTED), jobs: int | None = None
) -> Iterator[tuple[str, Outcome | None]]:
    """The first of the seeds that violates a promise with the fault and none without it, for each fault; None if none does."""
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        yield from zip(names, pool.map(partial(_find, seeds), names), strict=True)


def _find(seeds: range, planted: str) -> Outcome | None:
    for seed in seeds:
        for scenario in SCENARIOS:
            outcome = play(scenario, seed, planted=planted)
            if outcome.violations and not play(scenario, seed).violations:
                return outcome
    return None
