"""A file with a ledger at work on it, and its copy in a real JetStream."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from email_consumer.core.outcome import Failed, Sent, Stopped, StopReason
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.model import EmailMessage
from email_consumer.replica.copier import Copier
from email_consumer.store.database import Database, open_database
from email_consumer.store.key_values import ensure_value
from tests.factories import ORIGIN, mail

ROWS = "messages-rows"
_OWN = {
    "replica_changes",
    "replica_progress",
    "mail_addresses",
    "mail_addresses_progress",
    "mail_domains",
    "mail_incidents",
    "mail_topics",
}


@dataclass
class Copied:
    """A sidecar's life, as far as its rows are concerned."""

    database: Database
    ledger: SqliteLedger
    copier: Copier

    async def copy(self) -> None:
        """Until nothing is left to copy, also where JetStream lost something."""
        while await self.copier.copy() or not await self._whole():  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.001)  # a second copy of all rows waits a while, by the clock alone

    async def _whole(self) -> bool:
        return bool(await self.database.fetch("SELECT 1 FROM replica_progress WHERE name IS NULL"))

    async def send(self, number: int) -> None:
        await self.ledger.claim(numbered(number), ORIGIN)
        await self.ledger.finish(numbered(number), Sent(f"ses-{number}"), ORIGIN)

    async def mail_of_every_kind(self) -> None:
        """Some of it changed and deleted after it was copied."""
        for number in range(1, 40):
            await self.ledger.claim(numbered(number), ORIGIN)
            outcome = Sent(f"ses-{number}") if number % 2 else Failed("503")
            await self.ledger.finish(numbered(number), outcome, ORIGIN)
        await self.copier.copy()
        await self.ledger.schedule(numbered(50, scheduled_at="2099-01-01T00:00:00Z"), ORIGIN)
        await self.ledger.finish(numbered(51), Stopped(StopReason.CANCELLED), ORIGIN)
        async with self.database.transaction() as connection:
            await connection.execute("DELETE FROM email_requests WHERE uuid = 'u-3'")
        await self.copy()


@asynccontextmanager
async def copied(path: Path, publisher: Publisher, check_interval: float = 0) -> AsyncIterator[Copied]:
    """From one start to the next stop; what JetStream holds is looked at every `check_interval` seconds."""
    async with open_database(path) as database:
        identity = await ensure_value(database, "ledger", lambda: str(path))
        await ensure_value(database, "secret", lambda: "secret")
        copier = Copier(
            database, publisher, stream="messages", replicas=1, ledger=identity, check_interval=check_interval
        )
        await copier.prepare()
        ledger = SqliteLedger(database, lambda _message, _origin: None, Policy(3600, "resend", 0, 3))
        async with ledger.running():
            yield Copied(database, ledger, copier)


def numbered(number: int, **fields: object) -> EmailMessage:
    return mail(f"u-{number}", topic_id="t", **fields)


def delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink(missing_ok=True)  # SQLite may delete its own meanwhile


def back_up(path: Path) -> Path:
    """A copy of a file that nobody has open."""
    return Path(shutil.copy(path, path.with_name("backup")))


def put_back(backup: Path, path: Path) -> None:
    delete(path)
    backup.rename(path)


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that is to come back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608 - our tables
            for name in names
            if name not in _OWN
        }
