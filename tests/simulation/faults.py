"""Faults under the seed: each begins at a moment, and what lasts ends by itself or with the scenario's active part."""

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

from tests.simulation.installation import Member
from tests.simulation.process import Process
from tests.simulation.ses import courses
from tests.simulation.ses.answers import FOREIGN
from tests.simulation.ses.courses import Course
from tests.simulation.site import STREAM, Site

_MOST_STEPS = 400


class Faults:
    """Injects them, and counts which steps they hit."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.draw: Random = site.world.random
        self.hits: Counter[tuple[str, str]] = Counter()
        self.claims_lost = 0
        """How often the bucket of claims was deleted: mail in hand is in doubt then, whatever became of it."""
        self.jumped = 0.0
        """Seconds by which clocks were set, all together."""
        self.cut_until = 0.0
        """True time until which some process may have been cut off."""
        self._over = False

    def plan(self, fault: "Fault", at: float) -> None:
        """Let it happen at a true time."""
        self.site.world.at(at, self._inject, fault)

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
            member.skew = 0.0
            if member.process:
                member.process.skew = 0.0

    def hit(self, kind: str, processes: Iterable[Process]) -> None:
        """Count the steps that the fault meets."""
        for process in processes:
            for step in self.site.steps.of(process):
                self.hits[kind, step] += 1

    def anyone(self) -> Member:
        """One of the members."""
        return self.draw.choice(list(self.site.installation.members.values()))

    def cut_off(self, seconds: float) -> None:
        """For so long some process may be cut off from NATS, or find something missing there."""
        self.cut_until = max(self.cut_until, self.site.world.now + seconds)
        self.site.deliveries.interrupt(seconds)

    def until_over(self, seconds: float, undo: Callable[[], None]) -> None:
        """Undo it after so long, unless everything is over by then."""
        self.site.world.after(seconds, lambda: None if self._over else undo())

    def _inject(self, fault: "Fault") -> None:
        if not self._over:
            self.site.world.trace("FAULT", fault=fault.__name__)
            fault(self)


Fault = Callable[[Faults], None]


def kill(faults: Faults) -> None:
    """SIGKILL of a process, now."""
    member = faults.anyone()
    if member.process:
        faults.hit("kill", [member.process])
        faults.site.installation.kill(member.name)


def kill_at_a_step(faults: Faults) -> None:
    """SIGKILL after one of the process's next callbacks, in the middle of things."""
    member, left, world = faults.anyone(), faults.draw.randint(1, _MOST_STEPS), faults.site.world

    def step(process: Process) -> None:
        nonlocal left
        if process is not member.process:
            return
        left -= 1
        if not left:
            world.on_step = None
            faults.hit("kill at a step", [process])
            faults.site.installation.kill(member.name)

    world.on_step = step


def terminate(faults: Faults) -> None:
    """SIGTERM: it drains, and is started again."""
    member = faults.anyone()
    if member.process:
        faults.hit("SIGTERM", [member.process])
        settings = faults.site.installation.settings[member.name]
        faults.site.deliveries.interrupt(settings.shutdown_grace + 10.0)
        faults.site.installation.terminate(member.name)


def pause(faults: Faults) -> None:
    """SIGSTOP, for a moment or for longer than any lease."""
    member = faults.anyone()
    if member.process:
        faults.hit("pause", [member.process])
        seconds = faults.draw.choice((1.0, 20.0, 40.0, 100.0, 250.0))
        faults.site.deliveries.interrupt(seconds)
        member.process.pause(seconds)


def suspend(faults: Faults) -> None:
    """The machine sleeps: its monotonic clock stands still while all others go on."""
    member = faults.anyone()
    if member.process:
        faults.hit("suspended", [member.process])
        seconds = faults.draw.choice((20.0, 40.0, 100.0, 250.0))
        faults.site.deliveries.interrupt(seconds)
        member.process.suspend(seconds)


def set_clock(faults: Faults) -> None:
    """Set the wall clock of a process, by less than AWS notices."""
    member = faults.anyone()
    by = faults.draw.choice((-200.0, -20.0, 20.0, 200.0))
    if member.process:
        faults.hit("clock set", [member.process])
        faults.jumped += abs(by)
        member.process.skew = member.skew = by


def cut_link(faults: Faults) -> None:
    """The connection to NATS breaks; what is under way is lost."""
    member, draw = faults.anyone(), faults.draw
    if member.process:
        faults.hit("NATS cut", [member.process])
        seconds = draw.choice((0.0, 2.0, 15.0, 60.0))
        faults.cut_off(seconds + 60.0)
        faults.site.network.link(member.process).cut(
            seconds, client_notices=draw.random() < 0.5, server_notices_after=draw.choice((0.0, 10.0))
        )


def stall_link(faults: Faults) -> None:
    """Nothing arrives for a while, and then all of it."""
    member = faults.anyone()
    if member.process:
        faults.hit("NATS stalled", [member.process])
        seconds = faults.draw.choice((1.0, 8.0, 40.0))
        faults.cut_off(seconds + 60.0)
        faults.site.network.link(member.process).stall(seconds)


def restart_nats(faults: Faults) -> None:
    """nats-server restarts; what is stored stays."""
    faults.hit("NATS restart", faults.site.installation.processes)
    faults.cut_off(60.0)
    faults.site.server.restart(faults.draw.choice((0.1, 5.0, 30.0)))


def lose_leaders(faults: Faults) -> None:
    """No leader for a stream, or for all."""
    faults.hit("no leader", faults.site.installation.processes)
    seconds, silent = faults.draw.choice((1.0, 5.0, 20.0)), faults.draw.random() < 0.5
    faults.cut_off(seconds + 60.0)
    streams = sorted(faults.site.server.jetstream.streams)
    if faults.draw.random() < 0.5 or not streams:
        faults.site.server.lose_all_leaders(seconds, silent=silent)
    else:
        faults.site.server.lose_leader(faults.draw.choice(streams), seconds, silent=silent)


def fill_stream(faults: Faults) -> None:
    """A stream or bucket stores nothing more, for a while."""
    server = faults.site.server
    if not server.jetstream.streams:
        return
    faults.hit("stream full", faults.site.installation.processes)
    name = faults.draw.choice(sorted(server.jetstream.streams))
    seconds = faults.draw.choice((3.0, 30.0, 90.0))
    faults.cut_off(seconds + 60.0)
    server.fill(name, "maximum messages exceeded")
    faults.until_over(seconds, lambda: server.fill(name, "") if name in server.jetstream.streams else None)


def lose_claims(faults: Faults) -> None:
    """Somebody deletes the bucket of claims, or that of the workers, the shared state or the leases."""
    server = faults.site.server
    buckets = sorted(name for name in server.jetstream.streams if name.startswith("KV_"))
    if buckets:
        faults.hit("bucket deleted", faults.site.installation.processes)
        faults.cut_off(60.0)
        name = faults.draw.choice(buckets)
        faults.claims_lost += name.endswith("-claims")
        server.delete_stream(name)


def lose_consumer(faults: Faults) -> None:
    """Somebody deletes the consumer of the mail stream."""
    server = faults.site.server
    stream = server.jetstream.streams.get(STREAM)
    if stream and stream.consumers:
        faults.hit("consumer deleted", faults.site.installation.processes)
        faults.cut_off(60.0)
        server.delete_consumer(STREAM, faults.draw.choice(sorted(stream.consumers)))


def unusual_answers(faults: Faults) -> None:
    """For a while SES throttles, fails, or answers late, or something else answers in its place."""
    kinds: list[tuple[str, list[Course]]] = [
        ("SES throttles", [courses.throttled()]),
        ("SES fails", [courses.refused("InternalFailure"), courses.refused("ServiceUnavailable")]),
        ("SES rejects", [courses.refused("MessageRejected")]),
        ("SES late", [courses.answered_late(8), courses.answered_late(40), courses.arrives_late(40)]),
        ("SES silent", [courses.lost(), courses.unanswered()]),
        ("SES cut", [courses.cut_before(), courses.cut_after(), courses.unreadable()]),
        ("proxy answers", [courses.foreign(name, decided=decided) for name in FOREIGN for decided in (False, True)]),
        ("SES refuses connections", [courses.no_connection()]),
    ]
    kind, found = faults.draw.choice(kinds)
    faults.hit(kind, faults.site.installation.processes)
    share = faults.draw.choice((0.3, 1.0))
    weights = {course: share / len(found) for course in found} | {courses.usual(): 1.001 - share}
    faults.site.ses.behave(weights)
    faults.until_over(faults.draw.choice((2.0, 10.0, 40.0)), faults.site.ses.behave)


def credentials_expire(faults: Faults) -> None:
    """AWS refuses the credentials until new ones are found."""
    faults.hit("credentials expired", faults.site.installation.processes)
    faults.site.ses.account.expire_credentials(renewed_after=faults.draw.choice((1.0, 30.0)))


def pause_account(faults: Faults) -> None:
    """SES pauses the account, or its quota is used up, for a while."""
    account = faults.site.ses.account
    if faults.draw.random() < 0.5:
        faults.hit("account paused", faults.site.installation.processes)
        account.sending_enabled = False
        faults.until_over(faults.draw.choice((5.0, 40.0)), lambda: setattr(account, "sending_enabled", True))
    else:
        faults.hit("quota used up", faults.site.installation.processes)
        account.quota.limit = account.quota.used
        faults.until_over(faults.draw.choice((5.0, 40.0)), lambda: setattr(account.quota, "limit", -1))


def cut_off_ses(faults: Faults) -> None:
    """A process can't reach SES, nor be reached by its answers."""
    member = faults.anyone()
    if member.process:
        faults.hit("SES unreachable", [member.process])
        faults.site.ses.cut_off.add(member.name)
        faults.until_over(faults.draw.choice((2.0, 40.0)), lambda: faults.site.ses.cut_off.discard(member.name))


def refuse_writes(faults: Faults) -> None:
    """The disk is full, or another program locks the file."""
    member = next(each for each in faults.site.installation.members.values() if each.role in {"run", "sidecar"})
    if member.process:
        reason = faults.draw.choice(("database is locked", "database or disk is full"))
        faults.hit(reason, [member.process])
        faults.site.storage.refuses = reason
        faults.until_over(faults.draw.choice((1.0, 10.0, 40.0)), lambda: setattr(faults.site.storage, "refuses", ""))


def foreign_events(faults: Faults) -> None:
    """Events about mail of another installation, which may have the same uuids; and about mail nobody knows."""
    faults.hit("foreign events", faults.site.installation.processes)
    for mail in faults.draw.sample(faults.site.history.mails, 3):
        faults.site.sns.foreign(mail.uuid or "u-0", faults.draw.choice(("Send", "Delivery", "Bounce")))


ALL: tuple[Fault, ...] = (
    kill,
    kill_at_a_step,
    terminate,
    pause,
    set_clock,
    cut_link,
    stall_link,
    restart_nats,
    lose_leaders,
    fill_stream,
    lose_claims,
    lose_consumer,
    unusual_answers,
    unusual_answers,
    credentials_expire,
    pause_account,
    cut_off_ses,
    refuse_writes,
    foreign_events,
)
