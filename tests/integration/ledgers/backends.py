"""Both ledgers on their real parts, opened and looked at in one way."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Literal, Protocol

from nats.aio.client import Client

from email_consumer.core.ledger import Ledger
from email_consumer.core.outcome import Stopped
from email_consumer.jetstream.client import SteadyClient
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.guard import ClaimsGuard
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from email_consumer.ledgers.rule import LEASE, Policy, Takeover
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.store.database import open_database
from tests.integration.ledgers.sidecar import project
from tests.servers.claims import first_claims

STREAM = "messages"


def policy(ttl: float = 3600, in_doubt: Literal["resend", "park"] = "resend", grace: float = 0.0) -> Policy:
    return Policy(ttl, in_doubt, grace, max_attempts=3)


class Backend(Protocol):
    """Where one ledger keeps its truth; `open` is one process's life."""

    path: Path
    """The SQLite file that operators query."""

    def open(
        self,
        policy: Policy = ...,
        *,
        stopped: Stopped | None = None,
        takeover: Takeover | None = None,
        after_crash: bool = False,
        keep_subjects: bool = True,
    ) -> AbstractAsyncContextManager[Ledger]:
        """`after_crash`: the process that had a claim before is surely dead."""

    async def query(self, sql: str) -> list[sqlite3.Row]:
        """What the tables say of all that happened so far."""


def query(path: Path, sql: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql).fetchall()


class SqliteBackend:
    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def open(
        self,
        policy: Policy = policy(),  # noqa: B008 - a frozen value
        *,
        stopped: Stopped | None = None,
        takeover: Takeover | None = None,
        after_crash: bool = False,  # noqa: ARG002 - the lock on the file tells
        keep_subjects: bool = True,
    ) -> AsyncIterator[SqliteLedger]:
        async with open_database(self.path) as database:
            ledger = SqliteLedger(
                database,
                lambda _message, _origin: stopped,
                policy,
                takeover=takeover,
                keep_subjects=keep_subjects,
            )
            async with ledger.running():
                yield ledger

    async def query(self, sql: str) -> list[sqlite3.Row]:
        return query(self.path, sql)


class JetStreamBackend:
    def __init__(self, client: Client, path: Path = Path(), replicas: int = 1) -> None:
        self.client = client
        self.path = path
        self._replicas = replicas

    async def ensure_streams(self) -> None:
        await ensure_ledger_streams(self.client, STREAM, replicas=self._replicas)
        await first_claims(self.client, STREAM, replicas=self._replicas)

    @asynccontextmanager
    async def open(
        self,
        policy: Policy = policy(),  # noqa: B008 - a frozen value
        *,
        stopped: Stopped | None = None,
        takeover: Takeover | None = None,
        after_crash: bool = False,
        keep_subjects: bool = True,
        lease: float = LEASE,
        guard: ClaimsGuard | None = None,
    ) -> AsyncIterator[JetStreamLedger]:
        publisher = Publisher(self.client)
        ledger = JetStreamLedger(
            publisher,
            lambda _message, _origin: stopped,
            policy,
            stream=STREAM,
            takeover=takeover,
            guard=guard,
            keep_subjects=keep_subjects,
            lease=0.0 if after_crash else lease,
        )
        async with ledger.running():
            yield ledger

    async def query(self, sql: str) -> list[sqlite3.Row]:
        await project(self.client, self.path, STREAM)
        return query(self.path, sql)


@asynccontextmanager
async def jetstream_backend(url: str | list[str], path: Path, replicas: int = 1) -> AsyncIterator[JetStreamBackend]:
    client = SteadyClient()
    at_once: Any = 0.1  # seconds, of which nats-py allows parts, but its hint does not
    await client.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=at_once)
    try:
        backend = JetStreamBackend(client, path, replicas)
        await backend.ensure_streams()
        yield backend
    finally:
        await client.close()
