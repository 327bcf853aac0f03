"""Both ledgers keep to which trace a mail belongs."""

from dataclasses import replace

from email_consumer.core.outcome import Failed, Sent, Stopped, StopReason
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import Backend

FIRST, SECOND = (f"00-{digit * 32}-{digit * 16}-01" for digit in "ab")
TRACES = "SELECT uuid, traceparent FROM mail_traces JOIN email_requests ON id = request_id ORDER BY uuid"


async def known(backend: Backend) -> dict[str, str]:
    return {row["uuid"]: row["traceparent"] for row in await backend.query(TRACES)}


async def test_that_of_the_last_attempt(backend: Backend) -> None:
    async with backend.open() as ledger:
        for traceparent, outcome in ((FIRST, Failed("again")), (SECOND, Sent("ses-1"))):
            origin = replace(ORIGIN, traceparent=traceparent)
            await ledger.claim(mail(), origin)
            await ledger.finish(mail(), outcome, origin)
    assert await known(backend) == {"u-1": SECOND}


async def test_of_a_mail_that_was_stopped(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.finish(mail(), Stopped(StopReason.CANCELLED), replace(ORIGIN, traceparent=FIRST))
    assert await known(backend) == {"u-1": FIRST}


async def test_not_of_another_mail_with_its_uuid(backend: Backend) -> None:
    other, its = mail(email="other@example.com"), replace(ORIGIN, traceparent=SECOND)
    async with backend.open() as ledger:
        await ledger.claim(mail(), replace(ORIGIN, traceparent=FIRST))
        await ledger.finish(mail(), Sent("ses-1"), replace(ORIGIN, traceparent=FIRST))
        await ledger.claim(other, its)
        await ledger.finish(other, Stopped(StopReason.CANCELLED), its)
    assert await known(backend) == {"u-1": FIRST}


async def test_mail_without_a_trace_has_none(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.claim(mail(), ORIGIN)
        await ledger.finish(mail(), Sent("ses-1"), ORIGIN)
    assert await known(backend) == {}
