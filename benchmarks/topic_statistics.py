"""What a topic's numbers cost to read, over HTTP, with a thousand and with a million rows.

    python -m benchmarks.topic_statistics [--large 1000000] [--requests 500]

Each topic has its mails, all sent, with a Delivery each and an Open of every third. Both topics are in one file.
"""

import argparse
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, time
from typing import cast

import aiohttp
import structlog
import uvloop

from benchmarks.cores import UNDER_TEST, on
from email_consumer.api.cancellations import Cancellations
from email_consumer.api.progress import ProgressReader
from email_consumer.api.statistics import Statistics
from email_consumer.api.topic_routes import TopicRoutes
from email_consumer.core.mail_queue import MailQueue
from email_consumer.core.metrics import Metrics
from email_consumer.core.unsent import Unsent
from email_consumer.store.database import Database, open_database
from email_consumer.web.app import create_app
from email_consumer.web.server import Server

KEY = "benchmark"
_MAILS = """
INSERT INTO email_requests (uuid, topic_id, email, status, finished_at, source, created_at, updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT :topic || '-' || n, :topic, 'user' || n || '@example.com', 1, NULL, 'nats', :now, :now FROM numbers
"""
_SENT = "UPDATE email_requests SET status = 2, finished_at = :now - id % 86400 WHERE topic_id = :topic"
_RESULTS = """
INSERT INTO email_results (request_id, status, recipient, created_at)
SELECT id, :status, email, :now FROM email_requests WHERE topic_id = :topic AND id % :every = 0
"""


async def fill(database: Database, topic: str, count: int) -> None:
    values: dict[str, object] = {"topic": topic, "count": count, "now": time()}
    async with database.transaction() as connection:
        await connection.execute(_MAILS, values)
        await connection.execute(_SENT, values)
        for status, every in (("Delivery", 1), ("Open", 3)):
            await connection.execute(_RESULTS, values | {"status": status, "every": every})


@asynccontextmanager
async def _never_paused() -> AsyncIterator[None]:
    yield


async def _empty() -> int:
    """How much waits in the queue."""
    return 0


async def measure(large: int, requests: int, report: Callable[[str, int, float], None]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with open_database(Path(directory) / "email.db", synchronous="NORMAL") as database:
            topics = {"small": 1_000, "large": large}
            for topic, count in topics.items():
                await fill(database, topic, count)
            queue = cast("MailQueue", None)  # no topic here was cancelled, so nobody asks it
            unsent = Unsent(Metrics())
            cancellations = Cancellations(
                database, queue, lambda *_: None, _never_paused, unsent=unsent, claims_visible=True
            )
            routes = TopicRoutes(Statistics(database), cancellations, ProgressReader(database, _empty)).routes()
            async with (
                Server(create_app(routes, [KEY], version="benchmark"), 0) as server,
                aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers={"X-API-KEY": KEY}) as session,
            ):
                for topic, count in topics.items():
                    taken = []
                    for _ in range(requests):
                        began = perf_counter()
                        async with session.get(f"/v1/topics/{topic}") as response:
                            answer = await response.json()
                        taken.append(perf_counter() - began)
                        if answer["request_counts"]["Sent"] != count:
                            raise RuntimeError(f"wrong numbers: {answer}")
                    report(topic, count, median(taken) * 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=500)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(f"GET /v1/topics/TOPIC, median of {arguments.requests}, client and server on one core")
    found: list[float] = []

    def report(topic: str, count: int, milliseconds: float) -> None:
        found.append(milliseconds)
        print(f"{topic:<8}{count:>10,} rows {milliseconds:>8.2f} ms")

    with on(UNDER_TEST):
        uvloop.run(measure(arguments.large, arguments.requests, report))
    print(f"ratio   {found[1] / found[0]:>10.2f}")


if __name__ == "__main__":
    main()
