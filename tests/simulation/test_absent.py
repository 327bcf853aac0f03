"""Processes that were away: stopped, or on a suspended machine. Played in a process of their own, as all worlds are."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.mails import Mail
from tests.simulation.process import Process
from tests.simulation.seams import silent_logging
from tests.simulation.ses import courses
from tests.simulation.site import Site, built
from tests.simulation.sns.plan import SnsPlan
from tests.simulation.world import World, discarding

RUN = {"run": "run"}
WORKERS = {"worker-1": "worker", "worker-2": "worker", "sidecar": "sidecar"}
SETTINGS = {"SES_RATE_PER_SEC": "50", "SES_TIMEOUT": "5", "COPY_ROWS": "false"}
BEGIN = 20.0
"""Seconds after which all is up."""

Disturb = Callable[[Site], None]


def sent(seed: int, roles: dict[str, str], settings: dict[str, str], disturb: Disturb) -> int:
    """How often one mail is sent."""
    with silent_logging(), discarding():
        world = World(seed)
        with built(world, SETTINGS | settings, roles) as site:
            site.installation.start()
            world.run(lambda: world.now > BEGIN, limit=2 * BEGIN)
            disturb(site)
            site.traffic.publish(Mail(0, "nats", "u-0", "you@example.com"))
            world.run(lambda: world.now > BEGIN + 400, limit=500)
            return len(site.ses.accepted["u-0"])


def suspend_the_sender(site: Site) -> None:
    """Suspend the machine of whoever is about to write the request."""

    def step(process: Process) -> None:
        if "sending" in site.steps.of(process):
            site.world.on_step.remove(step)
            process.suspend(200.0)

    site.world.on_step.append(step)


def _once_in_doubt(site: Site, happen: Callable[[], object]) -> None:
    """SES accepts the mail, its answer is lost, and this happens when that is known, before the first event."""
    site.ses.script("u-0", courses.unanswered())
    site.sns.plan = SnsPlan(prompt=(15.0, 16.0), retries=100)
    first: list[object] = []

    def accepted(mail: object) -> None:
        if not first:
            first.append(mail)
            site.world.after(10.0, happen)

    site.ses.on_accepted.append(accepted)


def suspend_the_receiver(site: Site) -> None:
    """The machine of the process that takes events is suspended."""
    receiver = site.installation.http()
    assert receiver is not None
    _once_in_doubt(site, lambda: receiver.suspend(80.0))


def refuse_the_event(site: Site) -> None:
    """The disk is full when the events come."""

    def fill() -> None:
        site.storage.refuses = "database or disk is full"
        site.world.after(100.0, setattr, site.storage, "refuses", "")

    _once_in_doubt(site, fill)


@pytest.mark.parametrize(
    ("roles", "settings", "disturb"),
    [
        (WORKERS, {"IN_DOUBT_GRACE": "10", "CLAIM_LEASE": "20"}, suspend_the_sender),
        (RUN, {"IN_DOUBT_GRACE": "60"}, suspend_the_receiver),
        (WORKERS, {"IN_DOUBT_GRACE": "60", "CLAIM_LEASE": "20"}, suspend_the_receiver),
        (RUN, {"IN_DOUBT_GRACE": "60"}, refuse_the_event),
        (WORKERS, {"IN_DOUBT_GRACE": "60", "CLAIM_LEASE": "20"}, refuse_the_event),
    ],
)
def test_mail_is_sent_once(roles: dict[str, str], settings: dict[str, str], disturb: Disturb) -> None:
    with ProcessPoolExecutor(1) as pool:
        assert [pool.submit(sent, seed, roles, settings, disturb).result() for seed in range(6)] == [1] * 6
