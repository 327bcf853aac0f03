"""How long a search takes: what the page asks for, over HTTP."""

import tempfile
from datetime import UTC
from pathlib import Path
from statistics import median
from time import perf_counter, time

import aiohttp

from email_consumer.api.mail_history import MailHistory
from email_consumer.api.mail_list_routes import MailListRoutes
from email_consumer.api.mail_lists import MailLists
from email_consumer.dashboard.topic_list import TopicList
from email_consumer.store.database import Database, open_database
from email_consumer.web.app import create_app
from email_consumer.web.server import Server

KEY = "benchmark"
_REQUESTS = 300
# A tenth of all mail goes to one address; one in fifty is written as Name <address>.
_MAILS = """
INSERT INTO email_requests (uuid, topic_id, email, status, finished_at, source, created_at, updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'uuid-' || n, 'topic-' || (n % 5000),
    CASE WHEN n % 10 = 0 THEN 'busy@example.com'
         WHEN n % 50 = 1 THEN 'Some One <User' || n || '@example.com>'
         ELSE 'user' || n || '@example.com' END,
    2, :now, 'nats', :now, :now FROM numbers
"""


async def measure_search(rows: int) -> dict[str, float]:
    """Milliseconds by what was asked for, the median."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_database(Path(directory) / "email.db", synchronous="NORMAL") as database:
            async with database.transaction() as connection:
                await connection.execute(_MAILS, {"count": rows, "now": time()})
            return await _measure(database, rows)


async def _unknown() -> None:
    """How much waits in the queue, which nobody asks here."""


async def _measure(database: Database, rows: int) -> dict[str, float]:
    parts = (MailListRoutes(MailLists(database), UTC), MailHistory(database, _unknown), TopicList(database))
    routes = [route for part in parts for route in part.routes()]
    middle = rows // 2 + 1 - rows // 2 % 50  # one of those with a name
    asked = {
        "one address": [f"/v1/messages?email=user{number}@example.com" for number in range(3, rows, rows // 100)],
        "one address, written with a name": [f"/v1/messages?email=user{middle}@example.com"],
        "one address with a tenth of all mail": ["/v1/messages?email=busy@example.com"],
        "one uuid": [f"/v1/messages/uuid-{number}" for number in range(1, rows, rows // 100)],
        "the latest topics": ["/v1/topics"],
    }
    async with (
        Server(create_app(routes, [KEY], version="benchmark"), 0) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers={"X-API-KEY": KEY}) as session,
    ):
        return {what: await _median(session, paths) for what, paths in asked.items()}


async def _median(session: aiohttp.ClientSession, paths: list[str]) -> float:
    taken = []
    for number in range(_REQUESTS):
        began = perf_counter()
        async with session.get(paths[number % len(paths)], raise_for_status=True) as response:
            await response.read()
        taken.append(perf_counter() - began)
    return median(taken) * 1000
