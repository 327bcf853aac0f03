"""What every ledger records of mail that is stopped, and of copies that are left out."""

from dataclasses import replace

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import (
    Duplicate,
    Failed,
    InDoubt,
    Interrupted,
    LeftOut,
    Outcome,
    Sent,
    Stopped,
    StopReason,
)
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import Backend

ROW = "SELECT * FROM email_requests WHERE uuid = 'u-1'"


async def test_a_stopped_mail_is_recorded_without_a_claim(backend: Backend) -> None:
    stopped = Stopped(StopReason.EXPIRED, "expired yesterday")
    async with backend.open(stopped=stopped) as ledger:
        assert await ledger.claim(mail(), ORIGIN) == stopped
        await ledger.finish(mail(), stopped, ORIGIN)
    async with backend.open() as ledger:
        assert await ledger.claim(mail(), ORIGIN) == Duplicate()
    (row,) = await backend.query(ROW)
    assert (row["status"], row["error"]) == (4, "expired: expired yesterday")


@pytest.mark.parametrize("outcome", [Sent("ses-1"), InDoubt("read time-out")])
async def test_copies_that_were_left_out_are_recorded_once_each(backend: Backend, outcome: Sent | InDoubt) -> None:
    copies = (LeftOut("archive@example.com", "hard bounce"), LeftOut("b@example.com", "manual"))
    async with backend.open() as ledger:
        for left_out in (copies[:1], copies):
            await ledger.claim(mail(), ORIGIN)
            await ledger.finish(mail(), InDoubt("read time-out", left_out), ORIGIN)
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), replace(outcome, left_out=copies), ORIGIN)
    rows = await backend.query("SELECT status, recipient, detail FROM email_results ORDER BY recipient")
    assert [tuple(row) for row in rows] == [("Suppressed", copy.address, copy.reason) for copy in copies]


@pytest.mark.parametrize("outcome", [Failed("500"), InDoubt("no answer")])
async def test_a_mail_that_is_stopped_leaves_another_mail_of_its_uuid_alone(
    backend: Backend, outcome: Failed | InDoubt
) -> None:
    stopped = mail(email="other@example.com")
    async with backend.open() as ledger:
        assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)
        await ledger.finish(mail(), outcome, ORIGIN)
        await ledger.finish(stopped, Stopped(StopReason.CANCELLED), replace(ORIGIN, reference="messages:2"))
        assert isinstance(await ledger.claim(mail(), replace(ORIGIN, received=2)), Claim)


@pytest.mark.parametrize(("after", "attempts"), [([], 1), ([Interrupted()], 1), ([Interrupted(), InDoubt("again")], 2)])
async def test_an_attempt_in_doubt_is_counted_once_when_its_mail_is_stopped(
    backend: Backend, after: list[Outcome], attempts: int
) -> None:
    async with backend.open() as ledger:
        for outcome in [InDoubt("no answer"), *after]:
            assert isinstance(await ledger.claim(mail(), ORIGIN), Claim)
            await ledger.finish(mail(), outcome, ORIGIN)
        await ledger.finish(mail(), Stopped(StopReason.CANCELLED), ORIGIN)
    (row,) = await backend.query(ROW)
    assert (row["status"], row["attempts"]) == (4, attempts)
