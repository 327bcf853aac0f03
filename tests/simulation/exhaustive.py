"""One mail, its duplicate, and a crash at every point of its life: nothing is drawn, everything is enumerated.

Latencies are fixed and randomness begins anew with each crash, so a run with a crash is the one without it until there.
The life after a crash has points of its own, for the second crash.
"""

import os
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from tests.simulation.crash_points import CrashPoints
from tests.simulation.injector import Faults
from tests.simulation.mails import Mail
from tests.simulation.oracle import violations
from tests.simulation.scenario import AFTER, let_pass, settled, waiting
from tests.simulation.seams import silent_logging
from tests.simulation.ses import courses
from tests.simulation.ses.courses import Course
from tests.simulation.site import STREAM, Site, built
from tests.simulation.sns.plan import SnsPlan
from tests.simulation.world import StuckError, World, discarding

_PUBLISHED_AT = 5.0
"""Everything has started by then."""
_AGAIN_AFTER = 0.02
"""Seconds until the duplicate, when the mail is on its way to SES."""
_LIMIT = 600.0
"""Seconds within which everything has to come to its end."""
_TIMEOUT = 2.0
_SHOWN = 3
_ROLES = {"run": {"run": "run"}, "roles": {"worker-1": "worker", "sidecar": "sidecar"}}
_ENVIRON = {
    "run": {"LEDGER": "sqlite", "IN_DOUBT_GRACE": "5"},
    "roles": {"LEDGER": "jetstream", "IN_DOUBT_GRACE": "10"},
}
_COMMON = {
    "SES_RATE_PER_SEC": "50",
    "CONCURRENCY_LIMIT": "2",
    "MAX_ATTEMPTS": "3",
    "CLAIM_LEASE": "4",
    "ACK_WAIT": "4",
    "RETRY_DELAY": "1",
    "SES_TIMEOUT": f"{_TIMEOUT:g}",
    "SHUTDOWN_GRACE": "1",
    "COPY_ROWS": "false",
}

OUTCOMES: dict[str, tuple[Course, ...]] = {
    "accepted": (),
    "answer lost": (courses.unanswered(),),
    "request lost": (courses.lost(),),
    "answered late": (courses.answered_late(_TIMEOUT + 1),),
    "cut before SES": (courses.cut_before(),),
    "cut after SES": (courses.cut_after(),),
    "503 before SES": (courses.foreign("a mesh's 503", decided=False),),
    "503 after SES": (courses.foreign("a mesh's 503", decided=True),),
    "connection refused": (courses.no_connection(),),
    "throttled": (courses.throttled(),),
    "failed, then accepted": (courses.refused("InternalFailure"),),
    "failed every time": (courses.refused("InternalFailure"),) * 3,
    "rejected": (courses.refused("MessageRejected"),),
}
"""What happens to the first attempts; those after them are accepted."""
EVENTS = {"prompt": SnsPlan(), "late": SnsPlan(late=(30.0, 30.0), chance_late=1.0)}
"""When SES's events arrive: within the grace, or when mail in doubt was long resent or parked."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is played with a crash at each of its points."""

    ledger: str
    victim: str
    """The process that crashes."""
    outcome: str
    in_doubt: str
    """IN_DOUBT."""
    events: str

    def __str__(self) -> str:
        return f"{self.ledger}/{self.victim}/{self.outcome}/{self.in_doubt}/{self.events}"


CASES = tuple(
    Case(ledger, victim, *rest)
    for ledger, roles in _ROLES.items()
    for victim in roles
    for rest in product(OUTCOMES, ("resend", "park"), EVENTS)
)


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of one run."""

    violations: list[str]
    points: list[int]
    """Callbacks of the victim at which it can crash, in its life after the last crash."""
    result: tuple[object, ...]
    """What SES decided on each attempt; the mail's status, attempts and error; its dead letters."""
    trace: list[str]


@dataclass(slots=True)
class Enumerated:
    """All crashes of one case."""

    case: Case
    singles: int = 0
    pairs: int = 0
    failures: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    """The crashes, and the promise that they broke."""

    def first_failures(self) -> list[str]:
        """Some of them, and how to repeat each."""
        return [
            f"VIOLATION: {violation}\nrepeat it: ./run.sh simulate --exhaustive --case {str(self.case)!r}"
            f" --crashes {' '.join(map(str, crashes)) or 0} --trace"
            for crashes, violation in self.failures[:_SHOWN]
        ]

    def add(self, *crashes: int) -> Ending:
        ending = play(self.case, crashes)
        self.failures += [(crashes, violation) for violation in ending.violations]
        return ending


class _Fixed(random.Random):
    """Delays are early in their range, and of several processes the first one runs first."""

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) / 10

    def choice(self, seq: Any) -> Any:
        return seq[0]


def play(case: Case, crashes: tuple[int, ...] = (), *, every_callback: bool = False, tracing: bool = False) -> Ending:
    """Play it once.

    Args:
        case: what is played.
        crashes: the callback of the victim after which each of its lives ends.
        every_callback: let every callback be a point, whatever changes outside.
        tracing: keep a trace.
    """
    world = World(0, tracing=tracing)
    world.random = _Fixed(0)
    environ = _COMMON | _ENVIRON[case.ledger] | {"IN_DOUBT": case.in_doubt}
    with built(world, environ, _ROLES[case.ledger], tracing=tracing) as site:
        site.sns.plan = EVENTS[case.events]
        site.installation.start()
        mail = Mail(1, "nats", "u-1", "mail@example.com")
        site.history.mails.append(mail)
        site.ses.script(mail.uuid, *OUTCOMES[case.outcome])
        for moment in (_PUBLISHED_AT, _PUBLISHED_AT + _AGAIN_AFTER):
            world.at(moment, site.traffic.publish, mail)
        points = CrashPoints(site, case.victim, crashes, every_callback=every_callback)
        found = _to_the_end(site, points) + violations(site, Faults(site), environ)
        return Ending(found, points.found, _result(site, mail), world.lines)


def play_alone(case: Case, crashes: tuple[int, ...] = (), *, tracing: bool = False) -> Ending:
    """Like `play`, and clean up after it."""
    with silent_logging(), discarding():
        return play(case, crashes, tracing=tracing)


def _to_the_end(site: Site, points: CrashPoints) -> list[str]:
    world = site.world
    try:
        world.run(lambda: world.now >= _PUBLISHED_AT, limit=2 * _PUBLISHED_AT)
        with points.watched():
            world.on_step.append(points.step)
            world.run(lambda: settled(site), limit=_LIMIT)
        let_pass(world, AFTER)
    except StuckError as error:
        return [f"stuck {error}: {waiting(site)}"]
    return []


def _result(site: Site, mail: Mail) -> tuple[object, ...]:
    rows = [tuple(row) for row in site.rows("SELECT status, attempts, error FROM email_requests")]
    verdicts = [each.verdict for each in site.ses.exchanges[mail.uuid]]
    dead = site.server.jetstream.streams.get(f"{STREAM}-dead")
    return (*verdicts, *rows, *(each.subject for each in (dead.storage.messages.values() if dead else ())))


def enumerate_crashes(case: Case, *, pairs: bool = False) -> Enumerated:
    """Play the case without a crash, and with one at each point; with `pairs`, with another one at each point after it."""
    found = Enumerated(case)
    with silent_logging(), discarding():
        undisturbed = found.add()
    for first in undisturbed.points:
        with silent_logging(), discarding():
            ending = found.add(first)
            found.singles += 1
            for second in ending.points if pairs else ():
                found.add(first, second)
                found.pairs += 1
    return found


def run(cases: Iterable[Case], *, pairs: bool = False, jobs: int | None = None) -> Iterator[Enumerated]:
    """Enumerate the cases on all cores, or in so many processes; in the order in which they are done."""
    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        running = [pool.submit(enumerate_crashes, case, pairs=pairs) for case in cases]
        yield from (each.result() for each in as_completed(running))
