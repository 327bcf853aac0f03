"""Runs many seeds on all cores and adds up what happened in them."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice

from tests.simulation.scenario import SCENARIOS, Outcome, play

_CHUNK = 20
"""Seeds a process plays before it reports."""


@dataclass(slots=True)
class Totals:
    """Over all seeds."""

    seeds: Counter[str] = field(default_factory=Counter)
    """By scenario."""
    cost: Counter[str] = field(default_factory=Counter)
    """Milliseconds of CPU, by scenario."""
    mails: int = 0
    seconds: float = 0.0
    """Virtual."""
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each kind of fault met each step."""
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.seeds[outcome.scenario] += 1
        self.cost[outcome.scenario] += round(outcome.cost * 1000)
        self.mails += outcome.mails
        self.seconds += outcome.seconds
        self.hits.update(outcome.hits)
        if outcome.violations:
            self.failures.append(outcome)


def run(
    seeds: Iterable[int],
    *,
    scenarios: tuple[str, ...] = tuple(SCENARIOS),
    jobs: int | None = None,
    seconds: float | None = None,
    planted: str | None = None,
    forgetful: bool = False,
    failures: int = 1,
    failed: Callable[[Outcome], None] = lambda _: None,
) -> Totals:
    """Play each seed in each scenario, until the time is over or enough have failed.

    Args:
        seeds: may be endless if `seconds` or `failures` end it.
        scenarios: by name.
        jobs: processes; by default one for each core.
        seconds: of real time after which no more seeds begin.
        planted: a fault to plant into the program, by name.
        forgetful: see `scenario.play`.
        failures: how many end the run.
        failed: called with each of them.
    """
    give_up_at = time.monotonic() + seconds if seconds else None
    totals = Totals()
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        waiting = _chunks(seeds)
        running = {
            pool.submit(_play, chunk, scenarios, planted, forgetful)
            for chunk in islice(waiting, 2 * (jobs or os.cpu_count() or 1))
        }
        while running:
            done = {each for each in running if each.done()} or {next(iter(running))}
            for each in done:
                running.discard(each)
                for outcome in each.result():
                    totals.add(outcome)
                    if outcome.violations:
                        failed(outcome)
            if len(totals.failures) >= failures or (give_up_at and time.monotonic() > give_up_at):
                for each in running:
                    each.cancel()
                running = {each for each in running if not each.cancelled()}
                waiting = iter(())
            running |= {
                pool.submit(_play, chunk, scenarios, planted, forgetful) for chunk in islice(waiting, len(done))
            }
    return totals


def _play(chunk: list[int], scenarios: tuple[str, ...], planted: str | None, forgetful: bool) -> list[Outcome]:
    return [play(name, seed, planted=planted, forgetful=forgetful) for seed in chunk for name in scenarios]


def _chunks(seeds: Iterable[int]) -> Iterator[list[int]]:
    numbers = iter(seeds)
    while chunk := list(islice(numbers, _CHUNK)):
        yield chunk


def endless(start: int = 0) -> Iterator[int]:
    """Seeds without end."""
    return count(start)
