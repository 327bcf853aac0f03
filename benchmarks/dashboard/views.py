"""How long each view of the page takes to be answered by the daemon, over HTTP, with many mails in its file."""

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, time

import aiohttp

from benchmarks.dashboard.open_page import KEY, listening_port
from benchmarks.endpoint.process import Endpoint
from benchmarks.program import Program
from benchmarks.throughput.contestants import OURS, environment
from email_consumer.store import mail_index
from email_consumer.store.database import Database, open_database
from email_consumer.store.domain_days import DomainDays
from tests.servers.nats import NatsServer

_REQUESTS = 30
_DAYS = 30
_PARAMETERS = {"days": _DAYS * 86_400.0}
# Over the last month, the latest ones last: of 40 topics and 20 tenants, to 500 domains; one in ten transactional, one in a
# hundred failed.
_MAILS = """
INSERT INTO email_requests
    (uuid, topic_id, tenant, email, lane, subject, status, error, finished_at, source, created_at, updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'uuid-' || n, 'topic-' || (n % 40), 'tenant-' || (n % 20), 'user' || n || '@domain-' || (n / 7 % 500) || '.example',
    iif(n % 10, 'bulk', 'transactional'), 'Hello ' || n, iif(n % 100, 2, 3), iif(n % 100, NULL, 'not verified'),
    :now - :days * (:count - n) / :count, 'nats', :now - :days * (:count - n) / :count, :now FROM numbers
"""
# One in eight bounced, all others were delivered.
_RESULTS = """
INSERT INTO email_results (request_id, status, recipient, detail, created_at)
SELECT id, iif(id / 4 % 8, 'Delivery', 'Bounce'), email, iif(id / 4 % 8, '', 'Permanent/General'), created_at
FROM email_requests WHERE status = 2
"""
_CONTENT = """
INSERT INTO email_contents (id, hash, subject, content, created_at) VALUES (1, x'00', 's', 'c', :now)
"""
# A tenth as many are scheduled, and as many wait for a hold.
_WAITING = """
INSERT INTO email_requests
    (uuid, topic_id, tenant, email, lane, status, content_id, scheduled_at, held_by, source, created_at, updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count / 5)
SELECT 'later-' || n, 'later', 'tenant-' || (n % 20), 'later' || n || '@example.com', 'bulk', 0, 1,
    iif(n % 2, :now + 1e6 + n, NULL), iif(n % 2, NULL, 'topic:later'), 'api', :now, :now FROM numbers
"""
_HOLD = """
INSERT INTO holds (key, reason, holder, since, transactional) VALUES ('topic:later', 'benchmark', 'operator', :now, 0)
"""
_AUDIT = """
INSERT INTO audit_log (at, key_id, key_name, action, target, status, address)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count / 10)
SELECT :now, 'root', 'API_KEY', 'DELETE /v1/topics/{topic_id}', 'topic-' || n, 200, '127.0.0.1' FROM numbers
"""
_VIEWS = {
    "Now: latest mail": "/v1/messages?limit=8",
    "Statistics: last hour": "/v1/stats?range=hour",
    "Statistics: 24 hours": "/v1/stats?range=day",
    "Statistics: yesterday": "/v1/stats?range=yesterday",
    "Statistics: 7 days": "/v1/stats?range=week",
    "Statistics: 90 days": "/v1/stats?range=90d",
    "Mail: latest": "/v1/messages?limit=50",
    "Mail: bounced": "/v1/messages?limit=50&state=bounced",
    "Mail: of a domain": "/v1/messages?limit=50&domain=domain-7.example",
    "Mail: of a tenant": "/v1/messages?limit=50&tenant=tenant-7",
    "Mail: one": "/v1/messages/uuid-{middle}",
    "Topics": "/v1/topics?limit=25",
    "Topics: one": "/v1/topics/topic-7",
    "Topics: why its mail did not arrive": "/v1/reasons?topic_id=topic-7",
    "Waiting: lanes and tenants": "/v1/waiting",
    "Waiting: holds": "/v1/holds",
    "Waiting: ramps": "/v1/ramps",
    "Reputation": "/v1/reputation",
    "Reputation: mailbox providers": "/v1/domains?days=7",
    "Reputation: mailbox providers, 90 days": "/v1/domains?days=90",
    "Reputation: one domain": "/v1/domains?days=90&domain=domain-7.example",
    "Dead letters": "/v1/dead-letters?limit=25",
    "In doubt": "/v1/in-doubt?limit=50",
    "Suppressions": "/v1/suppressions?limit=50",
    "API keys": "/v1/keys",
    "Audit log": "/v1/audit?limit=50",
    "Audit log: by action": "/v1/audit?limit=50&action=nothing",
    "Search": "/v1/find?text=user{middle}&limit=20",
}


async def measure_views(rows: int) -> dict[str, float]:
    """Milliseconds by view, the median."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        file = directory / "email.db"
        async with open_database(file, synchronous="OFF") as database:
            await _fill(database, rows)
        async with NatsServer(directory / "nats") as server, Endpoint(directory, latency=0.03) as endpoint:
            variables = environment(server.url, endpoint, "page") | {"API_KEY": KEY, "DB_PATH": str(file)}
            async with Program(directory / "daemon", OURS.command, variables) as program:
                url = f"http://127.0.0.1:{await listening_port(program)}"
                async with aiohttp.ClientSession(url, headers={"X-API-KEY": KEY}) as session:
                    return {
                        view: await _median(session, path.format(middle=rows // 2)) for view, path in _VIEWS.items()
                    }


async def _fill(database: Database, rows: int) -> None:
    values = _PARAMETERS | {"count": rows, "now": time()}
    async with database.transaction() as connection:
        for statement in (_MAILS, _RESULTS, _CONTENT, _WAITING, _HOLD, _AUDIT):
            await connection.execute(statement, values)
    await database.call(lambda: mail_index.extend)
    await DomainDays(database).update()


async def _median(session: aiohttp.ClientSession, path: str) -> float:
    taken = []
    for _ in range(_REQUESTS):
        began = perf_counter()
        async with session.get(path, raise_for_status=True) as response:
            await response.read()
        taken.append(perf_counter() - began)
    return median(taken) * 1_000
