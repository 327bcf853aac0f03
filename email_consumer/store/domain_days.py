"""What became of mail by its recipients' domain and day: summed up from the results, many at a time.

Counted with each event it would cost a write to a random page. A sum of thousands of results touches few domains.
"""

import asyncio
import sqlite3

import aiosqlite

from email_consumer.store.database import Database
from email_consumer.store.mail_index import DOMAIN

_STEP = 5_000
"""Results in a transaction, which takes some milliseconds."""

_RESULTS = f"""
SELECT CAST(created_at AS INTEGER) / 86400 AS day, {DOMAIN} AS domain, status, detail FROM (
    SELECT recipient AS address, status, detail, created_at FROM email_results
    WHERE id > :after AND id <= :until AND machine = 0 AND recipient LIKE '%@%'
        AND status IN ('Delivery', 'Bounce', 'Complaint', 'DeliveryDelay')
)
"""  # noqa: S608 - constants
_ADD_RESULTS = f"""
INSERT INTO domain_days (day, domain, delivered, bounced, soft_bounced, complained)
SELECT day, domain, sum(status = 'Delivery'), sum(status = 'Bounce' AND detail NOT LIKE 'Transient%'),
    sum(status = 'Bounce' AND detail LIKE 'Transient%'), sum(status = 'Complaint')
FROM ({_RESULTS}) WHERE status <> 'DeliveryDelay' GROUP BY 1, 2
ON CONFLICT DO UPDATE SET delivered = delivered + excluded.delivered, bounced = bounced + excluded.bounced,
    soft_bounced = soft_bounced + excluded.soft_bounced, complained = complained + excluded.complained
"""  # noqa: S608 - constants
_ADD_DELAYS = f"""
INSERT INTO domain_delays (day, domain, reason, delays)
SELECT day, domain, detail, count(*) FROM ({_RESULTS}) WHERE status = 'DeliveryDelay' GROUP BY 1, 2, 3
ON CONFLICT DO UPDATE SET delays = delays + excluded.delays
"""  # noqa: S608 - constants

# Ids start again from 1 once all results were deleted.
_REWIND = """
UPDATE domain_days_progress SET last_id = min(last_id, (SELECT coalesce(max(id), 0) FROM email_results))
"""
_PROGRESS = """
SELECT min(last_id, last) AS after, last FROM domain_days_progress, (SELECT coalesce(max(id), 0) AS last FROM email_results)
"""

_TOTALS = """
SELECT domain, sum(delivered) AS delivered, sum(delays) AS delays, sum(bounced) AS bounced, sum(soft_bounced) AS soft_bounced,
    sum(complained) AS complained
FROM (
    SELECT domain, delivered, 0 AS delays, bounced, soft_bounced, complained FROM domain_days
    WHERE day >= :since AND (:domain IS NULL OR domain = :domain)
    UNION ALL
    SELECT domain, 0, delays, 0, 0, 0 FROM domain_delays WHERE day >= :since AND (:domain IS NULL OR domain = :domain)
)
GROUP BY domain ORDER BY sum(delivered + delays + bounced + soft_bounced + complained) DESC, domain LIMIT :limit
"""
_DAYS = """
SELECT day, sum(delivered) AS delivered, sum(delays) AS delays, sum(bounced) AS bounced, sum(soft_bounced) AS soft_bounced,
    sum(complained) AS complained
FROM (
    SELECT day, delivered, 0 AS delays, bounced, soft_bounced, complained FROM domain_days
    WHERE day >= :since AND domain = :domain
    UNION ALL
    SELECT day, 0, delays, 0, 0, 0 FROM domain_delays WHERE day >= :since AND domain = :domain
)
GROUP BY day ORDER BY day
"""
_REASONS = """
SELECT reason, sum(delays) AS delays FROM domain_delays WHERE day >= :since AND domain = :domain
GROUP BY reason ORDER BY sum(delays) DESC, reason
"""
_FORGET = ("DELETE FROM domain_days WHERE day < ?", "DELETE FROM domain_delays WHERE day < ?")


class DomainDays:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def update(self) -> None:
        """Add the results that are not in the sums yet, with pauses.

        Raises:
            sqlite3.OperationalError: the file accepts no writes at present.
        """
        while True:
            async with self._database.transaction() as connection:
                if not await _add(connection):
                    return
            await asyncio.sleep(0)

    async def domains(self, since: int, limit: int, domain: str | None = None) -> list[sqlite3.Row]:
        """Sums since a day (Unix time / 86400), of the domains with the most mail or of the one that is named."""
        return await self._database.fetch(_TOTALS, {"since": since, "limit": limit, "domain": domain})

    async def days(self, since: int, domain: str) -> list[sqlite3.Row]:
        """A domain's days since then, in order; those without mail are missing."""
        return await self._database.fetch(_DAYS, {"since": since, "domain": domain})

    async def reasons(self, since: int, domain: str) -> list[sqlite3.Row]:
        """Why the domain's mail was delayed, the most frequent reason first."""
        return await self._database.fetch(_REASONS, {"since": since, "domain": domain})


async def forget(connection: aiosqlite.Connection, cutoff: float) -> None:
    """Within a transaction: delete days before `cutoff` (Unix seconds). To be called after results were deleted."""
    await connection.execute(_REWIND)
    for statement in _FORGET:
        await connection.execute(statement, (int(cutoff) // 86_400,))


async def _add(connection: aiosqlite.Connection) -> bool:
    """Add some results; whether there are more."""
    [(after, last)] = await connection.execute_fetchall(_PROGRESS)
    until = min(after + _STEP, last)
    if until > after:
        for statement in (_ADD_RESULTS, _ADD_DELAYS):
            await connection.execute(statement, {"after": after, "until": until})
    await connection.execute("UPDATE domain_days_progress SET last_id = ?", (until,))
    return bool(until < last)
