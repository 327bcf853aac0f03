"""What a seed plays: mails, what people do meanwhile, faults, and then calm until everything has come to its end."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from tests.simulation import events_out, faults
from tests.simulation.injector import Fault, Faults
from tests.simulation.mail_plan import plan_holds, plan_mail
from tests.simulation.oracle import violations
from tests.simulation.seams import silent_logging
from tests.simulation.ses_faults import doubtful_answers, fail_some_mail, unusual_answers
from tests.simulation.site import CONSUMER, STREAM, TRANSACTIONAL_CONSUMER, Site, built
from tests.simulation.sns.plan import Fate, SnsPlan
from tests.simulation.steps import NAMES, SELDOM
from tests.simulation.world import StuckError, World, discarding

_FAULTS = 3, 7
_AT_ANY_TIME = 1 / 3
"""Share of the faults."""
_SELDOM_WEIGHT = 2.0
"""How many times as likely as others the steps are that few mails come to. A fault that waits for one waits from early on."""
_FORGETFUL = 5
"""How many times as likely as others the fault is that a seed is played for."""
_ACTIVE = 60.0
"""Seconds in which mail arrives and faults happen."""
_CALM = 3_600.0
"""Seconds of peace within which everything has to come to its end."""
AFTER = 10.0
"""Seconds for what is last to be settled and shown."""
_FATES = {
    Fate.UNKNOWN: 4.0,
    Fate.DELIVERED: 4.0,
    Fate.DELAYED: 1.0,
    Fate.OPENED: 1.0,
    Fate.BOUNCED: 1.0,
    Fate.BOUNCED_SOFTLY: 0.5,
    Fate.COMPLAINED: 0.5,
    Fate.REJECTED: 0.5,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which processes there are, and which faults they meet."""

    roles: Mapping[str, str]
    faults: tuple[Fault, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    first: tuple[Fault, ...] = ()
    """Those that happen at the start."""
    steps: tuple[str, ...] = NAMES
    """Of a mail, at which half of the faults happen."""
    skews: tuple[float, ...] = ()
    """Seconds by which the machines' wall clocks may be ahead from the start to the end."""
    restart: tuple[float, float] | None = None
    """Seconds until a process that ended is started again, if not as usual."""
    chance_never: float = 0.0
    """Of an event of SES that does not come."""
    once: bool = False
    """Whether each mail is published once, and nobody uses the API: what one ledger knows, another one does not."""
    holds: bool = False
    """Whether mail is held meanwhile."""


_RUN = {"run": "run"}
_IN_ONE = tuple(step for step in NAMES if step != "projecting")
"""With one process, nothing is projected."""
_ROLES = {"worker-1": "worker", "worker-2": "worker", "sidecar": "sidecar"}

SCENARIOS: dict[str, Scenario] = {
    # Some mail always becomes a dead letter, or hardly a fault would meet that step.
    "run": Scenario(_RUN, faults.ALL, first=(fail_some_mail,), steps=_IN_ONE),
    "roles": Scenario(_ROLES, faults.ALL, first=(fail_some_mail,)),
    # Machines that sleep: their monotonic clocks stand still.
    "suspended": Scenario(
        _ROLES, (faults.suspend, faults.suspend, unusual_answers, faults.cut_link), first=(fail_some_mail,)
    ),
    # Two programs with separate ledgers, of which one has the consumer, and the other takes it over when that one is away.
    "takeover": Scenario(
        {"run-1": "run", "run-2": "run"},
        # A consumer that is made again takes from the ledger that takes over what could tell it a redelivery.
        (*(each for each in faults.ALL if each is not faults.lose_consumer), *([faults.suspend, faults.pause] * 3)),
        steps=tuple(step for step in _IN_ONE if step != "cancelling"),
        once=True,
    ),
    # Much is in doubt, and whoever could hear of it is away for long.
    "doubt": Scenario(
        _RUN,
        (faults.kill, faults.kill_at_a_step, doubtful_answers, doubtful_answers, faults.refuse_writes),
        steps=_IN_ONE,
        restart=(0.2, 40.0),
        chance_never=0.2,
    ),
    # Much is in doubt, and no two clocks agree.
    "clocks": Scenario(
        _ROLES,
        (*([doubtful_answers] * 5), faults.set_clock, faults.kill_at_a_step),
        {"IN_DOUBT": "resend"},
        skews=(-200.0, -20.0, 0.0, 20.0, 200.0),
    ),
    # Much becomes a dead letter, and processes die while it does.
    "dead letters": Scenario(
        _RUN,
        (faults.kill, faults.purge_dead_letters),
        {"MAX_ATTEMPTS": "2"},
        first=(fail_some_mail,) * 3,
        steps=("storing a dead letter", "recording"),
    ),
    # Mail is moved into the store and out of it again, while everything else happens.
    "holds": Scenario(_RUN, faults.ALL, first=(fail_some_mail,), steps=_IN_ONE, holds=True),
    "holds apart": Scenario(_ROLES, faults.ALL, first=(fail_some_mail,), holds=True),
}


@dataclass(slots=True)
class Outcome:
    """What came of a seed."""

    scenario: str
    seed: int
    violations: list[str]
    hits: Counter[tuple[str, str]]
    mails: int
    seconds: float
    """Virtual."""
    trace: list[str]
    cost: float = 0.0
    """Seconds of CPU."""


def play(
    name: str, seed: int, *, tracing: bool = False, planted: str | None = None, forgetful: bool = False
) -> Outcome:
    """Play one seed.

    `planted`: a fault to plant into the program, by name. `forgetful`: whether nats-server also loses what it has acknowledged.
    """
    began = time.process_time()
    scenario = SCENARIOS[name]
    if forgetful:
        scenario = replace(scenario, faults=(*scenario.faults, *(faults.forget_in_nats,) * _FORGETFUL))
    with silent_logging(), discarding():
        outcome = _play(name, scenario, seed, tracing=tracing, planted=planted)
    outcome.cost = time.process_time() - began
    return outcome


def _play(name: str, scenario: Scenario, seed: int, *, tracing: bool, planted: str | None) -> Outcome:
    world = World(seed * 16 + list(SCENARIOS).index(name), tracing=tracing)
    draw = world.random
    shared = "worker" in scenario.roles.values()
    environ = _environment(draw) | {"LEDGER": "jetstream" if shared else "sqlite"} | dict(scenario.environ)
    with built(world, environ, dict(scenario.roles), tracing=tracing, fault=planted) as site:
        site.sns.plan = SnsPlan(
            late=(20.0, 120.0),
            chance_late=draw.choice((0.0, 0.1, 0.4)),
            chance_twice=draw.choice((0.0, 0.2)),
            chance_never=scenario.chance_never,
            retries=1_000,
        )
        site.sns.behave(_FATES)
        site.installation.restart = scenario.restart or site.installation.restart
        for member in site.installation.members.values() if scenario.skews else ():
            member.usual_skew = member.skew = draw.choice(scenario.skews)
        site.installation.start()
        world.trace("settings", **environ)
        plan_mail(site, draw, seconds=_ACTIVE, once=scenario.once)
        if scenario.holds:
            plan_holds(site, draw, seconds=_ACTIVE)
        faulty = Faults(site)
        for fault in scenario.first:
            faulty.plan(fault, 0.0)
        _plan_faults(faulty, scenario, draw)
        found = _to_the_end(world, site, faulty)
        if site.separate:  # each start may have taken the consumer over
            faulty.leases_lost += sum(member.starts for member in site.installation.members.values())
        found += violations(site, faulty, environ)
    return Outcome(name, seed, found, faulty.hits, len(site.history.mails), world.now, world.lines)


def _plan_faults(faulty: Faults, scenario: Scenario, draw: Random) -> None:
    """A third of all faults happen at any time, and the others when a mail is at a step that takes little of the time."""
    kinds = [fault for fault in dict.fromkeys(scenario.faults) for _ in range(faults.KINDS.get(fault, 1))]
    for _ in range(draw.randint(*_FAULTS)):
        at = draw.uniform(0.0, _ACTIVE)
        if draw.random() < _AT_ANY_TIME:
            faulty.plan(draw.choice(scenario.faults), at)
        else:
            [step] = draw.choices(
                scenario.steps, [_SELDOM_WEIGHT if step in SELDOM else 1.0 for step in scenario.steps]
            )
            share = 0.1 if step in SELDOM else 0.5
            faulty.plan_at_step(draw.choice(kinds), step, after=at * share, latest=_ACTIVE * 0.95)


def _environment(draw: Random) -> dict[str, str]:
    return {
        "SES_RATE_PER_SEC": draw.choice(("1", "5", "50")),
        "CONCURRENCY_LIMIT": draw.choice(("2", "10", "100")),
        "IN_DOUBT": draw.choice(("resend", "park")),
        "IN_DOUBT_GRACE": draw.choice(("30", "60")),
        "RETRY_DELAY": draw.choice(("1", "5")),
        "MAX_ATTEMPTS": draw.choice(("2", "5")),
        "CLAIM_LEASE": draw.choice(("20", "60")),
        "ACK_WAIT": draw.choice(("10", "30")),
        "SES_TIMEOUT": draw.choice(("5", "30")),
        "SHUTDOWN_GRACE": draw.choice(("1", "25")),
        "BULK_FLOOR": draw.choice(("0.05", "0.5")),
        "COPY_ROWS": "false",
        "EVENTS_OUT": draw.choice(("", "nats")),
    }


def _to_the_end(world: World, site: Site, faulty: Faults) -> list[str]:
    """Run until all is settled; what keeps it from that."""
    try:
        let_pass(world, _ACTIVE)
        faulty.end()
        world.trace("calm")
        world.run(lambda: settled(site), limit=_CALM)
        let_pass(world, AFTER)
        # What SES reported in the last moment.
        world.run(lambda: site.separate or not events_out.wait(site), limit=_CALM)
    except StuckError as error:
        return [f"stuck {error}: {waiting(site)}"]
    return []


def let_pass(world: World, seconds: float) -> None:
    over: list[bool] = []
    world.after(seconds, over.append, True)
    world.run(lambda: bool(over), limit=2 * seconds + 1)


def settled(site: Site) -> bool:
    """Whether nothing waits any more, anywhere. Asked after every turn, so what is cheap comes first."""
    now = site.world.now
    if now < site.checked_at + 3.0:
        return False
    site.checked_at = now
    left = waiting(site)
    if left == _EVENTS:  # they find what they would have found later
        site.sns.hurry()
    return not left


def waiting(site: Site) -> str:
    """What waits; empty if nothing does."""
    if site.traffic.open:
        return f"{site.traffic.open} requests"
    if any(mail.given_at is None for mail in site.history.mails):
        return "mail that isn't published"
    streams = site.server.jetstream.streams
    for stream, consumer in _CONSUMERS:
        found = streams[stream].consumers.get(consumer) if stream in streams else None
        if found and (found.cursor.pending or found.redelivery.unsettled):
            return f"messages of {stream}"
    open_rows = {
        row["uuid"]: row["status"] for row in site.rows("SELECT uuid, status FROM email_requests WHERE status < 2")
    }
    if open_rows and site.separate:  # those of a ledger that lost the consumer stay as they were
        ended = {row["uuid"] for row in site.rows("SELECT uuid FROM email_requests WHERE status >= 2")}
        open_rows = {uuid: status for uuid, status in open_rows.items() if uuid not in ended}
    if open_rows:
        return f"rows {open_rows}"
    if not site.separate and events_out.wait(site):
        return "events that aren't published"
    late = any(not event.delivered_at and not event.given_up and not event.never for event in site.sns.published)
    return _EVENTS if late else ""


_EVENTS = "events"
_CONSUMERS = (
    (STREAM, CONSUMER),
    (STREAM, TRANSACTIONAL_CONSUMER),
    (f"{STREAM}-outcomes", "sidecar"),
    (f"{STREAM}-scheduled", "sidecar"),
)
