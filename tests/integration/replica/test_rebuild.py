"""The tables, deleted and made again from JetStream."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from email_consumer.claim import Origin
from email_consumer.ledger.decision import Policy
from email_consumer.ledger.sqlite import SqliteLedger
from email_consumer.message import EmailMessage
from email_consumer.outcome import Failed, Sent, Stopped, StopReason
from email_consumer.publisher import Publisher
from email_consumer.replica.copier import Copier, OtherCopyError
from email_consumer.replica.rebuild import RebuildError, rebuild
from email_consumer.store.database import Database, open_database
from tests.servers.nats import NatsServer

ORIGIN = Origin("nats", "messages:1", 1, 0.0)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path / "nats") as server:
        client = await nats.connect(server.url)
        yield client
        await client.close()


@pytest.fixture
def publisher(client: Client) -> Publisher:
    return Publisher(client)


def copier(database: Database, publisher: Publisher) -> Copier:
    return Copier(database, publisher, stream="messages", replicas=1)


def ledger_on(database: Database) -> SqliteLedger:
    return SqliteLedger(database, lambda _message, _origin: None, Policy(3600, "resend", 0, 3))


@asynccontextmanager
async def copied(path: Path, publisher: Publisher) -> AsyncIterator[tuple[Database, SqliteLedger, Copier]]:
    """A new file with a ledger at work on it, copied from its first row on."""
    async with open_database(path) as database:
        ledger, copying = ledger_on(database), copier(database, publisher)
        await copying.prepare()
        async with ledger.running():
            yield database, ledger, copying


def delete(path: Path) -> None:
    for file in path.parent.glob("email.db*"):
        file.unlink()


def mail(number: int, **fields: object) -> EmailMessage:
    given = {"uuid": f"u-{number}", "email": "a@example.com", "subject": "s", "body": "b", "topic_id": "t"}
    return EmailMessage.model_validate(given | fields)


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608 - our tables
            for name in names
            if name != "replica_changes"
        }


async def live(database: Database, copier: Copier) -> None:
    """Mail of every kind, some of it before the copy begins, some changed and deleted after it."""
    ledger = ledger_on(database)
    async with ledger.running():
        await ledger.claim(mail(1), ORIGIN)
        await ledger.finish(mail(1), Sent("ses-1"), ORIGIN)
        await copier.prepare()
        for number in range(2, 40):
            await ledger.claim(mail(number), ORIGIN)
            await ledger.finish(mail(number), Sent(f"ses-{number}") if number % 2 else Failed("503"), ORIGIN)
        await copier.copy()
        await ledger.schedule(mail(50, scheduled_at="2099-01-01T00:00:00Z"), ORIGIN)
        await ledger.finish(mail(51), Stopped(StopReason.CANCELLED), ORIGIN)
        async with database.transaction() as connection:
            await connection.execute("DELETE FROM email_requests WHERE uuid = 'u-3'")
        while await copier.copy():
            pass


async def test_the_rebuilt_tables_equal_the_deleted_ones(tmp_path: Path, client: Client, publisher: Publisher) -> None:
    path = tmp_path / "email.db"
    async with open_database(path) as database:
        await live(database, copier(database, publisher))
    before = dump(path)
    assert len(before["email_requests"]) == 40
    delete(path)
    path.with_name("email.db.rebuilding").write_text("cut off")
    rows = await rebuild(path, client, stream="messages")
    assert [file.name for file in path.parent.glob("email.db*")] == ["email.db"]
    assert dump(path) == before
    assert rows == sum(map(len, before.values()))


async def test_a_mail_may_have_changed_long_after_its_first_attempt(
    tmp_path: Path, client: Client, publisher: Publisher
) -> None:
    path = tmp_path / "email.db"
    async with copied(path, publisher) as (database, ledger, copying):
        await ledger.claim(mail(1), ORIGIN)
        await ledger.finish(mail(1), Failed("503"), ORIGIN)
        async with database.transaction() as connection:
            await connection.executemany("INSERT INTO sent_minutes VALUES (?, 1)", [(n,) for n in range(600)])
        while await copying.copy():
            pass
        await ledger.claim(mail(1), ORIGIN)
        await ledger.finish(mail(1), Sent("ses-1"), ORIGIN)
        await copying.copy()
    before = dump(path)
    delete(path)
    await rebuild(path, client, stream="messages")
    assert dump(path) == before


async def test_a_rebuilt_file_goes_on_counting(tmp_path: Path, client: Client, publisher: Publisher) -> None:
    path = tmp_path / "email.db"
    async with open_database(path) as database:
        await live(database, copier(database, publisher))
    delete(path)
    await rebuild(path, client, stream="messages")
    async with open_database(path) as database:
        ledger = ledger_on(database)
        async with ledger.running():
            [before] = await database.fetch("SELECT count FROM topic_counts WHERE status = 2")
            await ledger.claim(mail(60), ORIGIN)
            await ledger.finish(mail(60), Sent("ses-60"), ORIGIN)
            [after] = await database.fetch("SELECT count FROM topic_counts WHERE status = 2")
    assert after["count"] == before["count"] + 1


async def test_a_row_that_nats_never_takes_holds_no_other_up(
    tmp_path: Path, client: Client, publisher: Publisher
) -> None:
    path = tmp_path / "email.db"
    async with copied(path, publisher) as (_, ledger, copying):
        for number, body in enumerate(["small", "x" * client.max_payload]):
            await ledger.schedule(mail(number, body=body, scheduled_at="2099-01-01T00:00:00Z"), ORIGIN)
        async with asyncio.timeout(10):
            while await copying.copy():
                pass
    before = dump(path)
    delete(path)
    await rebuild(path, client, stream="messages")
    after = dump(path)
    assert [row[3] for row in after["email_contents"]] == ["small"]
    assert after["email_requests"] == before["email_requests"]


async def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, client: Client) -> None:
    path = tmp_path / "email.db"
    path.touch()
    with pytest.raises(RebuildError, match="is there already"):
        await rebuild(path, client, stream="messages")


async def test_without_a_copy_it_says_so(tmp_path: Path, client: Client) -> None:
    with pytest.raises(RebuildError, match="JetStream holds no copy"):
        await rebuild(tmp_path / "email.db", client, stream="messages")


async def test_a_new_file_does_not_mix_with_an_earlier_ones_copy(tmp_path: Path, publisher: Publisher) -> None:
    path = tmp_path / "email.db"
    async with open_database(path) as database:
        await live(database, copier(database, publisher))
        await copier(database, publisher).prepare()  # the same file again
    delete(path)
    async with open_database(path) as database:
        with pytest.raises(OtherCopyError, match="run `email-consumer rebuild`"):
            await copier(database, publisher).prepare()
