"""Faults under the seed: each begins at a moment, and what lasts ends by itself or with the scenario's active part."""

from collections.abc import Callable, Mapping

from tests.simulation.injector import Fault, Faults
from tests.simulation.jetstream.crash import LONGEST
from tests.simulation.process import Process
from tests.simulation.ses_faults import (
    credentials_expire,
    cut_off_ses,
    doubtful_answers,
    fail_some_mail,
    pause_account,
    unusual_answers,
)
from tests.simulation.site import STREAM

_MOST_STEPS, _FEW_STEPS = 400, 4
"""Callbacks until the process is killed; few if a mail is at the step that was drawn."""


def kill(faults: Faults) -> None:
    """SIGKILL of a process, now."""
    member = faults.anyone()
    if member.process:
        faults.hit("kill", [member.process])
        faults.site.installation.kill(member.name)


def kill_at_a_step(faults: Faults) -> None:
    """SIGKILL after one of the process's next callbacks, in the middle of things."""
    member, world = faults.anyone(), faults.site.world
    left = faults.draw.randint(1, _FEW_STEPS if faults.aimed else _MOST_STEPS)

    def step(process: Process) -> None:
        nonlocal left
        if process is not member.process:
            return
        left -= 1
        if not left:
            world.on_step.remove(step)
            faults.hit("kill at a step", [process])
            faults.site.installation.kill(member.name)

    world.on_step.append(step)


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
        faults.cut_off(seconds + 60.0)
        member.process.pause(seconds)


def suspend(faults: Faults) -> None:
    """The machine sleeps: its monotonic clock stands still while all others go on."""
    member = faults.anyone()
    if member.process:
        faults.hit("suspended", [member.process])
        seconds = faults.draw.choice((20.0, 40.0, 100.0, 250.0))
        faults.cut_off(seconds + 60.0)
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


def kill_nats(faults: Faults) -> None:
    """nats-server is killed: its consumers are written to the disk ten times a second, and forget what came after that."""
    _crash_nats(faults, "NATS killed", lambda: 0.0, lambda: faults.draw.choice((0.0, faults.draw.uniform(0.0, 0.2))))


def forget_in_nats(faults: Faults) -> None:
    """nats-server ends, and each of its streams loses the last of what it had acknowledged."""

    def forgotten() -> float:
        return faults.draw.choice((0.0, faults.draw.uniform(0.0, 0.1), faults.draw.uniform(0.0, LONGEST)))

    _crash_nats(faults, "NATS forgets", forgotten, forgotten)


def _crash_nats(faults: Faults, kind: str, messages: Callable[[], float], deliveries: Callable[[], float]) -> None:
    site = faults.site
    if not site.server.up:
        return
    faults.hit(kind, site.installation.processes)
    faults.cut_off(60.0)
    site.server.stop()
    lost = site.server.forget(messages, deliveries)
    faults.claims_lost += bool(lost.get(f"KV_{STREAM}-claims"))
    faults.leases_lost += bool(lost.get(f"KV_{STREAM}-tenancy"))
    site.forgotten(lost)
    site.world.after(faults.draw.choice((0.1, 5.0, 30.0)), site.server.start)


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
        faults.leases_lost += name.endswith("-tenancy")
        server.delete_stream(name)


def lose_consumer(faults: Faults) -> None:
    """Somebody deletes the consumer of the mail stream."""
    server = faults.site.server
    stream = server.jetstream.streams.get(STREAM)
    if stream and stream.consumers:
        faults.hit("consumer deleted", faults.site.installation.processes)
        faults.cut_off(60.0)
        server.delete_consumer(STREAM, faults.draw.choice(sorted(stream.consumers)))


def purge_dead_letters(faults: Faults) -> None:
    """Somebody purges the dead letters; which of them are known is remembered."""
    server = faults.site.server
    if f"{STREAM}-dead" in server.jetstream.streams:
        faults.hit("dead letters purged", faults.site.installation.processes)
        server.purge(f"{STREAM}-dead")


def refuse_writes(faults: Faults) -> None:
    """The disk is full, or another program locks the file."""
    member = faults.anyone(among=frozenset({"run", "sidecar"}))
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
    kill_nats,
    lose_leaders,
    fill_stream,
    lose_claims,
    lose_consumer,
    purge_dead_letters,
    unusual_answers,
    unusual_answers,
    fail_some_mail,
    credentials_expire,
    pause_account,
    cut_off_ses,
    refuse_writes,
    foreign_events,
)

KINDS: Mapping[Fault, int] = {unusual_answers: 8, doubtful_answers: 4, pause_account: 2, refuse_writes: 2}
"""How many kinds are counted of a fault, if more than one: so many times it is chosen for each time of another one."""
