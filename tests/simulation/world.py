"""The world: true time, the processes in it, and everything that a seed decides."""

import gc
import heapq
import logging
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from aiohttp import web_app

from tests.simulation import clock
from tests.simulation.process import Process

_MOST_TURNS = 20_000
"""Turns of processes without any time passing."""
_LOOKS = 3
"""Of the garbage collector: a coroutine that waits for something when it is closed outlives the first one."""


class Event:
    """Something the environment does at a time."""

    __slots__ = ("args", "callback", "cancelled")

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        """Let it not happen."""
        self.cancelled = True


class StuckError(Exception):
    """The world did not get where it should within its time."""


class World:
    """Everything random in it comes from `random`, so that a seed repeats it."""

    def __init__(self, seed: int, *, tracing: bool = False) -> None:
        """`tracing`: keep what happened, for reading."""
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 0.0
        """True time: seconds since the start."""
        self.processes: list[Process] = []
        self.current: Process | None = None
        self.unhandled: list[str] = []
        """Errors that ended in no task's result and no log."""
        self.lines: list[str] = []
        self.on_step: list[Callable[[Process], None]] = []
        """Called after each callback of a process, which they may kill or pause."""
        self._tracing = tracing
        self._dead: list[Process] = []
        self._events: list[tuple[float, int, Event]] = []
        self._numbers = count()

    # For models

    def at(self, when: float, callback: Callable[..., object], *args: object) -> Event:
        """Call it at a true time."""
        event = Event(callback, args)
        heapq.heappush(self._events, (max(when, self.now), next(self._numbers), event))
        return event

    def after(self, delay: float, callback: Callable[..., object], *args: object) -> Event:
        """Call it in `delay` seconds of true time."""
        return self.at(self.now + delay, callback, *args)

    def trace(self, kind: str, /, **fields: object) -> None:
        """Add a line to the trace."""
        if self._tracing:
            where = self.current.name if self.current else "world"
            text = " ".join(f"{name}={value}" for name, value in fields.items())
            self.lines.append(f"{self.now:10.4f}  {where:<10} {kind:<24} {text}")

    # Its clocks, as seen by what runs at present

    def wall(self) -> float:
        return self.current.wall() if self.current else clock.EPOCH + self.now

    def monotonic(self) -> float:
        return self.current.time() if self.current else self.now

    def elapsed(self, _clock: int) -> float:
        return self.current.elapsed() if self.current else self.now

    # Its processes

    def process(self, name: str, skew: float = 0.0) -> Process:
        """Start an empty process. `skew`: seconds by which its wall clock is ahead."""
        process = Process(self, name, skew)  # type: ignore[abstract]  # asyncio needs only a part of a loop
        self.processes.append(process)
        return process

    def remove(self, process: Process) -> None:
        """Take a killed process out of the world."""
        self.trace("killed", process=process.name)
        self.processes.remove(process)
        self._dead.append(process)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Its clocks and its randomness are everybody's until the block ends; then all its processes end."""
        with clock.replaced(self, self.random):
            try:
                yield
            finally:
                self._close()

    def run(self, until: Callable[[], bool], *, limit: float) -> None:
        """Let everything happen until the condition holds.

        Raises:
            StuckError: it does not within `limit` seconds of true time.
        """
        give_up_at = self.now + limit
        turns, moved_at = 0, self.now
        while not until():
            if self.now != moved_at:
                turns, moved_at = 0, self.now
            turns += 1
            if turns > _MOST_TURNS:
                busy = [f"{each.name}: {each.ready[0]!r}" for each in self.processes if each.ready]
                raise StuckError(f"somebody is busy without end: {busy}")
            ready = [each for each in self.processes if each.ready and each.paused_until <= self.now]
            if ready:
                (self.random.choice(ready) if len(ready) > 1 else ready[0]).run_ready()
                continue
            if not self._advance(give_up_at):
                raise StuckError(f"after {limit:g} s")

    def _advance(self, give_up_at: float) -> bool:
        """Move time on to the next thing that happens; False if that is too late."""
        while self._events and self._events[0][2].cancelled:
            heapq.heappop(self._events)
        next_event = self._events[0][0] if self._events else None
        next_process: Process | None = None
        soonest = give_up_at if next_event is None else next_event
        for process in self.processes:
            due = process.next_timer()
            if due is not None and (due := max(due, process.paused_until)) < soonest:
                soonest, next_process = due, process
        if soonest >= give_up_at:
            return False
        self.now = soonest
        if next_process:
            next_process.run_ready()
        else:
            event = heapq.heappop(self._events)[2]
            event.callback(*event.args)
        return True

    def _close(self) -> None:
        """Let go of all processes."""
        for process in list(self.processes):
            process.kill()
        for process in self._dead:
            process.forget()
        self._dead.clear()
        self._events.clear()


@contextmanager
def discarding() -> Iterator[None]:
    """Collect a world that was made in the block, silently: a coroutine that is closed in the middle of its work complains."""
    collecting, hook, disabled = gc.isenabled(), sys.unraisablehook, logging.root.manager.disable
    gc.disable()
    gc.freeze()  # what was there before needs no look
    sys.unraisablehook = _ignore
    try:
        with warnings.catch_warnings():
            # A process may be killed before a task that it had created began.
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            yield
            web_app._cached_build_middleware.cache_clear()  # it holds the handlers of a thousand requests, each its world
            logging.disable()  # aiohttp logs requests that are closed in the middle of their handling
            _collect()
    finally:
        logging.disable(disabled)
        gc.unfreeze()
        sys.unraisablehook = hook
        if collecting:
            gc.enable()


def _collect() -> None:
    for _ in range(_LOOKS):
        if not gc.collect():
            break


def _ignore(_unraisable: Any) -> None:
    """Nobody misses it."""
