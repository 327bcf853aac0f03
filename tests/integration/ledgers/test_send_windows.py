"""Mail that waits for its send window, with both ledgers: into the store and out of it again, however often."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from email_consumer.core.ledger import WINDOW, Claim, Ledger, Origin
from email_consumer.core.outcome import Duplicate, Failed, Scheduled, Sent
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, decode
from email_consumer.scheduling.due_mail import DueMail, Message
from email_consumer.store.database import open_database
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import Backend, JetStreamBackend
from tests.integration.ledgers.test_scheduling import keep

MAIL = mail(tenant="acme", send_window="mon-fri 09:00-18:00", timezone="Asia/Seoul")
KEPT = replace(ORIGIN, reference="messages:7", sequence=7, kept=True)
ROW = "SELECT status, attempts, held_by, published_at, scheduled_at FROM email_requests WHERE uuid = 'u-1'"


async def test_mail_from_the_source_is_due_when_its_window_opens(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        later = await wait(backend, ledger, ORIGIN, hours=1)
    assert await due(path) == []
    assert tuple((await backend.query(ROW))[0]) == (0, 0, None, None, later)
    await reach(path)
    [message] = await due(path)
    assert decode(message.payload) == MAIL
    async with backend.open() as ledger:
        assert isinstance(await ledger.claim(MAIL, KEPT), Claim)
        await ledger.finish(MAIL, Sent("ses-1"), KEPT)
        assert await ledger.schedule(at(2), replace(ORIGIN, received=2), WINDOW) == Duplicate()
    assert (await backend.query(ROW))[0]["status"] == 2


async def test_mail_from_the_store_goes_back_there_when_its_window_has_closed(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        await wait(backend, ledger, ORIGIN, hours=1)
    await reach(path)
    [first] = await due(path)
    await published(path, first)
    async with backend.open() as ledger:
        later = await wait(backend, ledger, KEPT, hours=15)
    assert tuple((await backend.query(ROW))[0]) == (0, 0, None, None, later)
    await published(path, first)  # recorded late: it does not undo that
    assert (await backend.query(ROW))[0]["published_at"] is None
    await reach(path)
    [again] = await due(path)
    assert again.payload == first.payload
    assert again.headers["Nats-Msg-Id"] != first.headers["Nats-Msg-Id"]


async def test_a_mail_that_failed_before_its_window_closed_keeps_its_attempts(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        await ledger.claim(MAIL, ORIGIN)
        await ledger.finish(MAIL, Failed("503"), ORIGIN)
        await backend.query("SELECT 1")
        later = await wait(backend, ledger, replace(ORIGIN, received=2), hours=1)
    assert tuple((await backend.query(ROW))[0]) == (0, 1, None, None, later)
    await reach(path)
    assert len(await due(path)) == 1
    async with backend.open() as ledger:
        claim = await ledger.claim(MAIL, KEPT)
    assert isinstance(claim, Claim)
    assert claim.attempt == 2


def at(hours: float) -> EmailMessage:
    """As the pipeline stores it."""
    return MAIL.model_copy(update={"scheduled_at": datetime.now(UTC) + timedelta(hours=hours)})


async def wait(backend: Backend, ledger: Ledger, origin: Origin, *, hours: float) -> float:
    """As the pipeline does, and with separate roles the sidecar. When the mail is due (Unix seconds)."""
    later = at(hours)
    assert later.scheduled_at is not None
    assert await ledger.schedule(later, origin, WINDOW) == Scheduled()
    if isinstance(backend, JetStreamBackend):
        await keep(backend, backend.path)
    return later.scheduled_at.timestamp()


async def reach(path: Path) -> None:
    """The moment at which the mail is due."""
    async with open_database(path) as database, database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET scheduled_at = ?", (time.time() - 1,))


async def due(path: Path) -> list[Message]:
    """What the scheduler would publish."""
    async with open_database(path) as database:
        return (await DueMail(database).take(Lane.BULK, 10)).messages


async def published(path: Path, message: Message) -> None:
    async with open_database(path) as database:
        await DueMail(database).mark_published([(message.id, 7)])
