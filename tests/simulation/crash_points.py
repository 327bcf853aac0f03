"""Where a process can crash in ways that differ for anybody else.

A crash ends a process between two of its callbacks. It drops the memory of the process and nothing else, so two callbacks
between which nothing changed outside are one point: NATS, SES, SNS, the file and the other processes hold the same after
either, and what the process had worked out by itself is lost. A point is therefore the first callback of the process after
a change: a message was handed to the network that is more than a question, NATS delivered a message, a transaction was
committed, a request to SES began, was written, arrived or was answered, an event was posted or answered, a connection was
opened. What a process says again and again with the clock (its heartbeats, and pulling) counts once in its life.

Two crashes at one point differ only in when the process starts again, by less than the time until the next change.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from tests.simulation.http import _Transport
from tests.simulation.jetstream.link import Link
from tests.simulation.jetstream.server import Connection
from tests.simulation.jetstream.wire import Wire
from tests.simulation.process import Process
from tests.simulation.ses.service import Ses
from tests.simulation.site import STREAM, Site
from tests.simulation.sns.topic import Sns

_CHANGES: tuple[tuple[Any, str], ...] = (
    (Link, "dial"),
    (Ses, "begin"),
    (Ses, "write"),
    (Ses, "_arrive"),
    (Ses, "_return"),
    (Sns, "_post"),
    (Sns, "settled"),
    (_Transport, "_answer"),
)
_MESSAGES: tuple[tuple[Any, str], ...] = ((Wire, "to_server"), (Connection, "send"))
"""What a process hands to the network, and what the server does; the subject is the second argument."""
_SUBJECT = 2
_NO_CHANGE = (
    "$JS.API.STREAM.INFO.",
    "$JS.API.STREAM.MSG.GET.",
    "$JS.API.CONSUMER.INFO.",
    "$JS.API.CONSUMER.LIST.",
    "_INBOX.",
)
"""Subjects of questions and of the answers to requests."""
_REPEATED = (
    "$JS.API.CONSUMER.MSG.NEXT.",
    *(f"$KV.{STREAM}-{bucket}." for bucket in ("tenancy", "workers", "facts", "readings")),
)


class CrashPoints:
    """Crashes a process at the points wanted, and finds those of its life after the last crash."""

    def __init__(self, site: Site, victim: str, crashes: tuple[int, ...], *, every_callback: bool = False) -> None:
        """Prepare a crash.

        Args:
            site: whose member crashes.
            victim: its name.
            crashes: the callback after which each of its lives ends.
            every_callback: let every callback be a point.
        """
        self.found: list[int] = []
        """Callbacks of the life after the last crash."""
        self._site = site
        self._victim = victim
        self._left = list(crashes)
        self._every_callback = every_callback
        self._life: Process | None = None
        self._changes = 0
        self._before = -1
        self._said: set[tuple[Process | None, str]] = set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notice changes until the block ends."""
        with ExitStack() as patches:
            for kind, name in _CHANGES:
                patches.enter_context(mock.patch.object(kind, name, self._counted(getattr(kind, name))))
            for kind, name in _MESSAGES:
                patches.enter_context(mock.patch.object(kind, name, self._counted_if_new(getattr(kind, name))))
            yield

    def step(self, process: Process) -> None:
        """Look for a point, after a callback of any process."""
        if process.name != self._victim:
            return
        if process is not self._life:
            self._life, self._before = process, -1
        changes = self._changes + self._site.storage.commits
        if changes == self._before and not self._every_callback:
            return
        self._before = changes
        if not self._left:
            self.found.append(process.steps)
        elif process.steps == self._left[0]:
            self._left.pop(0)
            self._crash(process)

    def _crash(self, process: Process) -> None:
        self._site.world.trace("CRASH", callback=process.steps)
        for source in (random, self._site.world.random):  # what it drew since the last change is forgotten, too
            source.seed(len(self._left) + 1)
        self._site.installation.kill(self._victim)

    def _counted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._changes += 1
            return original(*args, **kwargs)

        return counted

    def _counted_if_new(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            subject = args[_SUBJECT] if len(args) > _SUBJECT else ""
            self._changes += not isinstance(subject, str) or self._is_change(subject)
            return original(*args)

        return counted

    def _is_change(self, subject: str) -> bool:
        if subject.startswith(_REPEATED):
            said = self._site.world.current, subject
            new = said not in self._said
            self._said.add(said)
            return new
        return not subject.startswith(_NO_CHANGE)
