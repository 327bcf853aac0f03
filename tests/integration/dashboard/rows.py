"""A ledger's file with rows in it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web

from email_consumer.api.mail_history import MailHistory
from email_consumer.api.mail_list_routes import MailListRoutes
from email_consumer.api.mail_lists import MailLists
from email_consumer.dashboard.topic_list import TopicList
from email_consumer.store.database import Database, open_database
from email_consumer.web.app import create_app
from email_consumer.web.server import Server

KEY = "rows-key"
_INSERT = """
INSERT INTO email_requests (uuid, topic_id, email, status, error, source, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, 'nats', ?, ?)
"""


@dataclass
class Rows:
    database: Database
    url: str
    session: aiohttp.ClientSession

    async def add(
        self, *emails: str, topic: str | None = None, at: float = 1e9, status: int = 2, error: str | None = None
    ) -> None:
        """A mail to each; uuids are numbered from 1."""
        ((first,),) = await self.database.fetch("SELECT coalesce(max(id), 0) + 1 FROM email_requests")
        rows = [(f"u-{first + place}", topic, email, status, error, at, at) for place, email in enumerate(emails)]
        async with self.database.transaction() as connection:
            await connection.executemany(_INSERT, rows)

    async def execute(self, sql: str, parameters: Iterable[object] = ()) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(sql, parameters)

    async def get(self, path: str, **query: str | int) -> tuple[int, Any]:
        async with self.session.get(self.url + path, params=query) as response:
            return response.status, await response.json()


async def _unknown() -> None:
    """How much waits in the queue, which nobody asks here."""


@asynccontextmanager
async def serve(database: Database, routes: Sequence[web.RouteDef]) -> AsyncIterator[Rows]:
    async with (
        Server(create_app(routes, [KEY], version="1"), 0, host="127.0.0.1") as server,
        aiohttp.ClientSession(headers={"X-API-KEY": KEY}) as session,
    ):
        yield Rows(database, f"http://127.0.0.1:{server.port}", session)


@asynccontextmanager
async def rows(directory: Path) -> AsyncIterator[Rows]:
    async with open_database(directory / "email.db") as database:
        lists = MailListRoutes(MailLists(database), ZoneInfo("Asia/Seoul"))
        routes = [*TopicList(database).routes(), *lists.routes(), *MailHistory(database, _unknown).routes()]
        async with serve(database, routes) as served:
            yield served
