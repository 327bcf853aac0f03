"""Where in a mail's life each process is: what a fault hits, so that a run can say which faults met which steps."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from email_consumer.api.cancellations import Cancellations
from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.feedback.inbox import Inbox
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.projection import Projection
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.pipeline.pacer import Pacer
from email_consumer.pipeline.settlement import Settlement
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.ses.client import SesClient
from tests.simulation.process import Process
from tests.simulation.world import World

IDLE = "idle"
_SOON = 0.02
"""Seconds after the beginning of a step: most steps take about so long."""
_FEW = 6
"""Callbacks after the beginning of a step."""

_STEPS: tuple[tuple[str, type, str], ...] = (
    ("waiting for its turn", Pacer, "acquire"),
    ("claiming", SqliteLedger, "claim"),
    ("claiming", JetStreamLedger, "claim"),
    ("sending", SesClient, "send"),
    ("recording", SqliteLedger, "finish"),
    ("recording", JetStreamLedger, "finish"),
    ("scheduling", SqliteLedger, "schedule"),
    ("scheduling", JetStreamLedger, "schedule"),
    ("storing a dead letter", DeadLetterWriter, "write"),
    ("settling", Settlement, "_notify_source"),
    ("projecting", Projection, "handle"),
    ("applying an event", Inbox, "receive"),
    ("publishing due mail", DueMail, "mark_published"),
    ("cancelling", Cancellations, "cancel"),
)
NAMES = tuple(dict.fromkeys(step for step, _, _ in _STEPS if step != "settling"))
"""Steps at which a process can be met, in a mail's order. An acknowledgement goes out within the callback that records the
outcome, unless the connection is gone."""

SELDOM = frozenset(
    {"scheduling", "storing a dead letter", "projecting", "applying an event", "publishing due mail", "cancelling"}
)
"""Steps that few mails come to, or for a moment."""


@dataclass(slots=True, eq=False)
class _Aim:
    """What waits for a process at a step."""

    step: str
    callback: Callable[[Process], None]
    missed: bool = False
    """Whether a mail had left the step too soon."""
    process: Process | None = None
    left: int = 0
    """Callbacks of the process to wait for."""


class Steps:
    """Counts, for each process, the mails at each step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._at: dict[Process, Counter[str]] = {}
        self._wanted: defaultdict[str, list[_Aim]] = defaultdict(list)
        self._aims: list[_Aim] = []
        """Those that count callbacks."""

    def when_at(self, step: str, callback: Callable[[Process], None]) -> None:
        """Call it with the next process that is at this step and doesn't leave it too soon."""
        self._wanted[step].append(_Aim(step, callback))

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Observe every process until the block ends."""
        with ExitStack() as patches:
            for step, kind, name in _STEPS:
                original = vars(kind)[name]
                static = isinstance(original, staticmethod)
                observed = self._observed(step, original.__func__ if static else original)
                patches.enter_context(mock.patch.object(kind, name, staticmethod(observed) if static else observed))
            yield

    def of(self, process: Process) -> list[str]:
        """The steps at which the process is."""
        return [step for step, mails in self._at.get(process, Counter()).items() if mails] or [IDLE]

    def _observed(self, step: str, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def observed(*args: Any, **kwargs: Any) -> Any:
            process = self._world.current
            assert process is not None
            at = self._at.setdefault(process, Counter())
            at[step] += 1
            for aim in self._wanted.pop(step, ()):
                self._take_aim(aim, process)
            try:
                return await original(*args, **kwargs)
            finally:
                at[step] -= 1

        return observed

    def _take_aim(self, aim: _Aim, process: Process) -> None:
        """Many steps take no time, so half of all aims wait for a few callbacks instead; what missed waits for only one."""
        draw = self._world.random
        if not aim.missed and draw.random() < 0.5:
            self._world.after(draw.uniform(0.0, _SOON), self._release, aim, process)
            return
        aim.process, aim.left = process, 1 if aim.missed else draw.randint(1, _FEW)
        self._aims.append(aim)
        if len(self._aims) == 1:
            self._world.on_step.append(self._count)

    def _count(self, process: Process) -> None:
        for aim in list(self._aims):
            assert aim.process is not None
            aim.left -= aim.process is process
            if not aim.left or not aim.process.alive:
                self._aims.remove(aim)
                self._release(aim, aim.process)
        if not self._aims:
            self._world.on_step.remove(self._count)

    def _release(self, aim: _Aim, process: Process) -> None:
        if process.alive and self._at[process][aim.step]:
            aim.callback(process)
        else:
            aim.missed = True
            self._wanted[aim.step].append(aim)
