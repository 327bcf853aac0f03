"""Workers' clocks may be minutes apart: ages of claims are measured by NATS's clock alone."""

import time
from dataclasses import replace

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Busy, Duplicate, InDoubt, Sent
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import JetStreamBackend, policy

SKEWS = pytest.mark.parametrize("skew", [-900.0, 900.0])


class Clock:
    """This machine's, as the worker sees it that is asked next; NATS goes by the real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.skew = 0.0
        self.real = time.time
        monkeypatch.setattr(time, "time", lambda: self.real() + self.skew)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@SKEWS
async def test_a_live_claim_stays_its_workers(jetstream: JetStreamBackend, clock: Clock, skew: float) -> None:
    async with jetstream.open() as one, jetstream.open() as other:
        assert isinstance(await one.claim(mail(), ORIGIN), Claim)
        clock.skew = skew
        assert await other.claim(mail(), ORIGIN) == Busy()


@SKEWS
async def test_a_doubt_waits_for_its_grace(jetstream: JetStreamBackend, clock: Clock, skew: float) -> None:
    rule = replace(policy(), in_doubt_grace=120)
    async with jetstream.open(rule) as one, jetstream.open(rule) as other:
        one.events_expected_from(clock.real() - 1000)
        other.events_expected_from(clock.real() - 1000)
        await one.claim(mail(), ORIGIN)
        clock.skew = -skew
        await one.finish(mail(), InDoubt("no answer"), ORIGIN)
        clock.skew = skew
        assert isinstance(await other.claim(mail(), ORIGIN), InDoubt)


@SKEWS
async def test_a_dead_workers_claim_waits_for_its_grace_and_no_longer(
    jetstream: JetStreamBackend, clock: Clock, skew: float
) -> None:
    clock.skew = -skew
    async with jetstream.open() as dead:
        await dead.claim(mail(), ORIGIN)
    clock.skew = skew
    async with jetstream.open(replace(policy(), in_doubt_grace=120), after_crash=True) as other:
        other.events_expected_from(clock.real() - 1000)
        assert isinstance(await other.claim(mail(), ORIGIN), InDoubt)
    async with jetstream.open(replace(policy(), in_doubt_grace=0), after_crash=True) as other:
        other.events_expected_from(clock.real() - 1000)
        assert isinstance(await other.claim(mail(), ORIGIN), Claim)


@SKEWS
async def test_a_sent_mail_stays_a_duplicate(jetstream: JetStreamBackend, clock: Clock, skew: float) -> None:
    async with jetstream.open() as one, jetstream.open() as other:
        await one.claim(mail(), ORIGIN)
        clock.skew = -100 * skew
        await one.finish(mail(), Sent("ses-1"), ORIGIN)
        clock.skew = 100 * skew
        assert await other.claim(mail(), replace(ORIGIN, stored_at=clock.real() + 1)) == Duplicate()
