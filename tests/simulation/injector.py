"""Injects faults under the seed, and counts which steps of mails' lives they hit."""

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

from tests.simulation.installation import Member
from tests.simulation.process import Process
from tests.simulation.site import Site


class Faults:
    """Injects them, and counts which steps they hit."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.draw: Random = site.world.random
        self.hits: Counter[tuple[str, str]] = Counter()
        self.claims_lost = 0
        """How often the bucket of claims was deleted: mail in hand is in doubt then, whatever became of it."""
        self.leases_lost = 0
        """How often the bucket of leases was deleted: a process that finds no lease takes the consumer over, and what was
        delivered before is in doubt."""
        self.jumped = 0.0
        """Seconds by which clocks were set, all together."""
        self.cut_until = 0.0
        """True time until which some process may have been cut off."""
        self._over = False
        self._target: Process | None = None

    def plan(self, fault: "Fault", at: float) -> None:
        """Let it happen at a true time."""
        self.site.world.at(at, self._inject, fault)

    def plan_at_step(self, fault: "Fault", step: str, after: float, latest: float) -> None:
        """Let it happen to the first process that comes to a step `after` a true time; at `latest`, if none does."""
        happened = False

        def happen(process: Process | None = None) -> None:
            nonlocal happened
            if not happened:
                happened = True
                self._inject(fault, process)

        self.site.world.at(after, self.site.steps.when_at, step, happen)
        self.site.world.at(latest, happen)

    def end(self) -> None:
        """End everything that lasts."""
        self._over = True
        site = self.site
        site.ses.behave()
        site.ses.cut_off.clear()
        site.ses.account.sending_enabled = True
        site.ses.account.quota.limit = -1
        site.ses.account.issued = site.ses.account.accepted
        site.ses.account_unavailable = ""
        site.storage.refuses = ""
        for name in site.server.jetstream.streams:
            site.server.fill(name, "")
        for member in site.installation.members.values():
            member.skew = member.usual_skew
            if member.process:
                member.process.skew = member.skew

    def hit(self, kind: str, processes: Iterable[Process]) -> None:
        """Count the steps that the fault meets."""
        for process in processes:
            for step in self.site.steps.of(process):
                self.hits[kind, step] += 1

    @property
    def aimed(self) -> bool:
        """Whether a process is at the step that was drawn for the fault."""
        return self._target is not None

    def anyone(self, among: frozenset[str] = frozenset()) -> Member:
        """The member that is to be hit, or else one of them. `among`: only members of these roles."""
        members = [each for each in self.site.installation.members.values() if not among or each.role in among]
        return next((each for each in members if each.process and each.process is self._target), None) or (
            self.draw.choice(members)
        )

    def cut_off(self, seconds: float) -> None:
        """For so long some process may be cut off from NATS, or find something missing there."""
        self.cut_until = max(self.cut_until, self.site.world.now + seconds)
        self.site.deliveries.interrupt(seconds)

    def until_over(self, seconds: float, undo: Callable[[], None]) -> None:
        """Undo it after so long, unless everything is over by then."""
        self.site.world.after(seconds, lambda: None if self._over else undo())

    def _inject(self, fault: "Fault", process: Process | None = None) -> None:
        if self._over:
            return
        world = self.site.world
        # It may come between two callbacks of a process, and is none of them.
        running, world.current = world.current, None
        world.trace("FAULT", fault=fault.__name__)
        self._target = process
        fault(self)
        self._target, world.current = None, running


Fault = Callable[[Faults], None]
