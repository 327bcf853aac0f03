"""Runs things in processes of their own, each for a bounded time."""

import os
import pickle
import selectors
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Child(Generic[Task]):
    task: Task
    number: int
    began: float
    result: bytearray = field(default_factory=bytearray)
    """As far as it has arrived."""


def in_forks(
    tasks: Iterable[Task], work: Callable[[Task], Result], *, jobs: int, seconds: float
) -> Iterator[tuple[Task, Result | None, float]]:
    """Each task with its result, or None if its process crashed or took longer than `seconds`, and the seconds it took.

    They come in the order in which they end.
    """
    waiting = iter(tasks)
    with selectors.DefaultSelector() as selector:
        running: dict[int, _Child[Task]] = {}
        more = True
        while more or running:
            while more and len(running) < jobs:
                try:
                    task = next(waiting)
                except StopIteration:
                    more = False
                    break
                reader, child = _forked(task, work, seconds)
                selector.register(reader, selectors.EVENT_READ)
                running[reader] = _Child(task, child, time.monotonic())
            for key, _ in selector.select(timeout=1.0):
                part = os.read(key.fd, 1 << 16)
                running[key.fd].result.extend(part)
                if not part:
                    yield _ended(selector, key.fd, running.pop(key.fd))
            for reader, each in list(running.items()):
                if time.monotonic() - each.began > seconds:
                    each.result.clear()
                    yield _ended(selector, reader, running.pop(reader))


def _forked(task: Task, work: Callable[[Task], Result], seconds: float) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return reader, child
    os.close(reader)
    os.setsid()  # so that what it starts ends with it
    signal.setitimer(signal.ITIMER_REAL, seconds)  # also without its parent
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    try:
        result = pickle.dumps(work(task))
        while result:
            result = result[os.write(writer, result) :]
    finally:
        os._exit(0)


def _ended(selector: selectors.BaseSelector, reader: int, child: _Child[Task]) -> tuple[Task, Any, float]:
    selector.unregister(reader)
    os.close(reader)
    with suppress(ProcessLookupError):
        os.killpg(child.number, signal.SIGKILL)
    os.waitpid(child.number, 0)
    result = pickle.loads(child.result) if child.result else None  # noqa: S301 - our own child's
    return child.task, result, time.monotonic() - child.began
