"""A stream that an operator deletes while scheduled mail waits in it: what the tables hold is published again, soon."""

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.mails import Mail
from tests.simulation.seams import silent_logging
from tests.simulation.ses import courses
from tests.simulation.site import STREAM, built
from tests.simulation.test_absent import BEGIN, RUN, SETTINGS, WORKERS
from tests.simulation.world import World, discarding

_DELETED = 45.0
_SOON = 15.0
"""Seconds: the receivers notice within a second and make the stream again, and the next check finds what is missing."""


def sent(seed: int, roles: dict[str, str], ledger: str) -> list[int]:
    """How often each of two mails is sent soon after the stream was deleted, and how often much later."""
    with silent_logging(), discarding():
        world = World(seed)
        with built(world, SETTINGS | {"LEDGER": ledger}, roles) as site:

            def run_until(moment: float) -> None:
                world.run(lambda: world.now > moment, limit=moment + 10.0)

            site.installation.start()
            run_until(BEGIN)
            site.ses.behave({courses.throttled(): 1.0})
            mails = [Mail(number, "api", "", f"{number}@example.com", due_at=BEGIN + 5 + number) for number in range(2)]
            site.traffic.post(mails)
            run_until(_DELETED + seed)
            assert [row[0] for row in site.rows("SELECT published_at IS NULL FROM email_requests")] == [0, 0]
            site.server.delete_stream(STREAM)
            site.ses.behave()
            run_until(_DELETED + seed + _SOON)
            soon = [len(site.ses.accepted[mail.uuid]) for mail in mails]
            run_until(_DELETED + 400)
            return soon + [len(site.ses.accepted[mail.uuid]) for mail in mails]


@pytest.mark.parametrize(("roles", "ledger"), [(RUN, "sqlite"), (WORKERS, "jetstream")])
def test_mail_that_waited_in_it_is_sent_once_and_soon(roles: dict[str, str], ledger: str) -> None:
    with ProcessPoolExecutor(1) as pool:
        for seed in (0, 7, 14, 21):
            assert pool.submit(sent, seed, roles, ledger).result() == [1, 1, 1, 1]
