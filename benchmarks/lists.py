"""What lists of mail cost over HTTP, with a thousand and with a million mails, and an export of all of them.

    python -m benchmarks.lists [--large 1000000] [--requests 200]

CPU time of client and server, which are one process. Mail of four topics to ten domains, one in ten transactional; one in eight bounced, all others were delivered.
"""

import argparse
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import process_time

import aiohttp
import structlog
import uvloop

from benchmarks.cores import UNDER_TEST, on
from benchmarks.usage import rss_mb
from email_consumer.api.mail_list_routes import MailListRoutes
from email_consumer.api.mail_lists import MailLists
from email_consumer.store import mail_index
from email_consumer.store.database import Database, open_database
from email_consumer.web.app import create_app
from email_consumer.web.server import Server

KEY = "benchmark"
_BEGAN = 1_700_000_000
_MAILS = """
INSERT INTO email_requests (uuid, topic_id, email, lane, subject, status, finished_at, source, created_at, updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'uuid-' || n, 'topic-' || (n % 4), 'user' || n || '@domain-' || (n / 7 % 10) || '.example',
    iif(n % 10, 'bulk', 'transactional'), 'Hello ' || n, 2, :began + n, 'nats', :began + n, :began + n FROM numbers
"""
_RESULTS = """
INSERT INTO email_results (request_id, status, recipient, detail, created_at)
SELECT id, iif(id / 4 % 8, 'Delivery', 'Bounce'), email, iif(id / 4 % 8, '', 'Permanent/General'), created_at FROM email_requests
"""
_LISTS = {
    "latest mail": "",
    "a topic": "topic_id=topic-3",
    "bounced": "state=bounced",
    "bounced of a topic": "topic_id=topic-3&state=bounced",
    "delivered of a topic": "topic_id=topic-3&state=delivered",
    "a domain": "domain=domain-7.example",
    "an address": "email=user{middle}@domain-{domain}.example",
    "a lane": "lane=transactional",
    "a hundred seconds": "since={since}&until={until}",
}


async def measure(count: int, requests: int) -> tuple[dict[str, float], float, float]:
    """CPU in milliseconds by list, the median; in seconds of an export, and by how many MB the process grew meanwhile."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_database(Path(directory) / "email.db", synchronous="NORMAL") as database:
            await _fill(database, count)
            routes = MailListRoutes(MailLists(database), UTC).routes()
            async with (
                Server(create_app(routes, [KEY], version="benchmark"), 0) as server,
                aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers={"X-API-KEY": KEY}) as session,
            ):
                lists = {what: await _list(session, _query(query, count), requests) for what, query in _LISTS.items()}
                seconds, megabytes = await _export(session, count)
                return lists, seconds, megabytes


async def _fill(database: Database, count: int) -> None:
    async with database.transaction() as connection:
        await connection.execute(_MAILS, {"count": count, "began": _BEGAN})
        await connection.execute(_RESULTS)
    await database.call(lambda: mail_index.extend)


def _query(query: str, count: int) -> str:
    middle = count // 2
    since, until = (
        datetime.fromtimestamp(_BEGAN + middle + after, UTC).isoformat().replace("+00:00", "Z") for after in (0, 100)
    )
    return query.format(middle=middle, domain=middle // 7 % 10, since=since, until=until)


async def _list(session: aiohttp.ClientSession, query: str, requests: int) -> float:
    taken = []
    for _ in range(requests):
        began = process_time()
        async with session.get(f"/v1/messages?{query}", raise_for_status=True) as response:
            found = (await response.json())["mails"]
        taken.append(process_time() - began)
        assert found, query
    return median(taken) * 1e3


async def _export(session: aiohttp.ClientSession, count: int) -> tuple[float, float]:
    before = peak = rss_mb(os.getpid())
    began, lines = process_time(), 0
    async with session.get("/v1/messages.ndjson", timeout=aiohttp.ClientTimeout(total=None)) as response:
        async for piece in response.content.iter_any():
            lines += piece.count(b"\n")
            peak = max(peak, rss_mb(os.getpid())) if lines % 1_000 < 10 else peak
    assert lines == count, f"{lines} of {count} mails"
    return process_time() - began, peak - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=200)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sizes = (1_000, given.large)
    with on(UNDER_TEST):
        (few, *few_exported), (many, *many_exported) = (uvloop.run(measure(size, given.requests)) for size in sizes)
    print(
        f"| CPU of GET /v1/messages, a page of 25 | {sizes[0]:,} mails | {sizes[1]:,} mails | ratio |\n|---|--:|--:|--:|"
    )
    for what, milliseconds in few.items():
        print(f"| {what} | {milliseconds:.2f} ms | {many[what]:.2f} ms | {many[what] / milliseconds:.2f} |")
    print("\n| export of all mail as NDJSON | CPU | memory grew by |\n|--:|--:|--:|")
    for size, (seconds, megabytes) in zip(sizes, (few_exported, many_exported), strict=True):
        print(f"| {size:,} mails | {seconds:.2f} s | {megabytes:.0f} MB |")


if __name__ == "__main__":
    main()
