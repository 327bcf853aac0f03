"""Mail that meets a hold, with both ledgers: into the store, out of it again, and sent once."""

from dataclasses import replace
from pathlib import Path

from email_consumer.core.ledger import Claim, Ledger, Origin
from email_consumer.core.outcome import Duplicate, Failed, InDoubt, Scheduled, Sent
from email_consumer.holds.held_mail import HeldMail
from email_consumer.holds.hold import Holder
from email_consumer.holds.hold_list import HoldList
from email_consumer.ledgers.rule import Takeover
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, decode
from email_consumer.scheduling.due_mail import DueMail, Message
from email_consumer.store.database import open_database
from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import Backend, JetStreamBackend, policy
from tests.integration.ledgers.test_scheduling import keep

KEY = "topic:größe; 7"
MAIL = mail("u-1", topic_id="größe; 7", tenant="acme", headers={"X-A": "1"})
KEPT = replace(ORIGIN, reference="messages:7", sequence=7, kept=True)
ROW = "SELECT status, attempts, held_by, held_times, published_at, content_id FROM email_requests WHERE uuid = 'u-1'"


async def test_held_mail_waits_in_the_tables_and_is_sent_once_it_is_released(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        await hold(backend, ledger, MAIL, ORIGIN)
    assert tuple((await backend.query(ROW))[0])[:5] == (0, 0, KEY, 0, None)
    (message,) = await released(path)
    assert decode(message.payload) == MAIL
    assert message.headers == {"Nats-Msg-Id": "nats:u-1", "Email-Origin": "nats"}
    async with backend.open() as ledger:
        assert await attempt(ledger) == 1
        await ledger.finish(MAIL, Sent("ses-1"), KEPT)
        assert await ledger.claim(MAIL, replace(ORIGIN, reference="messages:8")) == Duplicate()
    assert (await backend.query(ROW))[0]["status"] == 2


async def test_the_same_delivery_again_and_another_one_of_its_uuid_add_nothing(backend: Backend) -> None:
    async with backend.open() as ledger:
        await hold(backend, ledger, MAIL, ORIGIN)
        await hold(backend, ledger, MAIL, replace(ORIGIN, received=2))
        await hold(backend, ledger, MAIL, replace(ORIGIN, reference="messages:2", sequence=2))
    rows = await backend.query("SELECT held_by, held_times FROM email_requests")
    assert [tuple(row) for row in rows] == [(KEY, 0)]


async def test_mail_from_the_tables_goes_back_there_and_is_then_another_message(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        await hold(backend, ledger, MAIL, ORIGIN)
    (first,) = await released(path)
    await published(path, first)
    async with backend.open() as ledger:
        await hold(backend, ledger, MAIL, KEPT)
    assert tuple((await backend.query(ROW))[0])[:5] == (0, 0, KEY, 1, None)
    (again,) = await released(path)
    assert again.payload == first.payload
    assert again.headers["Nats-Msg-Id"] == "nats:u-1:1"


async def test_a_mail_that_failed_before_keeps_its_attempts(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        await ledger.claim(MAIL, ORIGIN)
        await ledger.finish(MAIL, Failed("503"), ORIGIN)
        await backend.query("SELECT 1")
        await hold(backend, ledger, MAIL, replace(ORIGIN, received=2))
    assert tuple((await backend.query(ROW))[0])[:4] == (0, 1, KEY, 1)
    assert len(await released(path)) == 1
    async with backend.open() as ledger:
        assert await attempt(ledger) == 2


async def test_what_was_finished_or_may_have_been_sent_is_not_held(backend: Backend) -> None:
    async with backend.open() as ledger:
        await ledger.claim(MAIL, ORIGIN)
        await ledger.finish(MAIL, Sent("ses-1"), ORIGIN)
        assert await ledger.schedule(MAIL, replace(ORIGIN, received=2), KEY) == Duplicate()
    taken = Takeover(5, 1.0)
    async with backend.open(policy(grace=60), takeover=taken) as ledger:
        redelivered = replace(ORIGIN, received=2)
        assert isinstance(await ledger.schedule(mail("u-2", topic_id="größe; 7"), redelivered, KEY), InDoubt)
    rows = await backend.query("SELECT uuid, status, in_doubt, held_by FROM email_requests ORDER BY uuid")
    assert [tuple(row) for row in rows] == [("u-1", 2, 0, None), ("u-2", 1, 1, None)]


async def test_publishing_that_is_recorded_late_does_not_undo_a_hold(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        await hold(backend, ledger, MAIL, ORIGIN)
    (message,) = await released(path)
    async with backend.open() as ledger:
        await hold(backend, ledger, MAIL, KEPT)
    await published(path, message)
    assert tuple((await backend.query(ROW))[0])[2:5] == (KEY, 1, None)


async def test_what_is_held_again_meanwhile_stays(backend: Backend, path: Path) -> None:
    async with backend.open() as ledger:
        await hold(backend, ledger, MAIL, ORIGIN)
    async with open_database(path) as database:
        holds = HoldList(database, lambda _: None)
        await holds.place(KEY, "", Holder.OPERATOR)
        assert await HeldMail(database, holds, lambda: None).release() == 0
        assert (await DueMail(database).take(Lane.BULK, 10)).messages == []


async def hold(backend: Backend, ledger: Ledger, message: EmailMessage, origin: Origin) -> None:
    """As the pipeline does, and with separate roles the sidecar."""
    assert await ledger.schedule(message, origin, KEY) == Scheduled()
    if isinstance(backend, JetStreamBackend):
        await keep(backend, backend.path)


async def released(path: Path) -> list[Message]:
    """What the scheduler would publish, once no hold is active."""
    async with open_database(path) as database:
        await HeldMail(database, HoldList(database, lambda _: None), lambda: None).release()
        return (await DueMail(database).take(Lane.BULK, 10)).messages


async def published(path: Path, message: Message) -> None:
    async with open_database(path) as database:
        await DueMail(database).mark_published([(message.id, 7)])


async def attempt(ledger: Ledger) -> int:
    """The number of the attempt that a claim of the released mail begins."""
    claim = await ledger.claim(MAIL, KEPT)
    assert isinstance(claim, Claim)
    return claim.attempt
