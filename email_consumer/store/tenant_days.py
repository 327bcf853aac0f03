"""What became of each tenant's mail by day: results are summed up many at a time, as by domain (`domain_days.py`)."""

import sqlite3

from email_consumer.store.database import Database
from email_consumer.store.result_sums import ResultSums

COLUMNS = ("sent", "delivered", "bounced", "complained")

# Bounces for good, and complaints that SES counts; once for each mail.
_RESULTS = """
SELECT CAST(result.created_at AS INTEGER) / 86400 AS day, mail.tenant, result.status AS kind
FROM email_results AS result JOIN email_requests AS mail ON mail.id = result.request_id
WHERE result.id > :after AND result.id <= :until AND mail.tenant IS NOT NULL AND result.machine = 0
    AND result.recipient = coalesce(mail.address, mail.email)
    AND (result.status = 'Delivery' OR (result.status = 'Bounce' AND result.detail NOT LIKE 'Transient%') OR (
        result.status = 'Complaint' AND result.detail NOT LIKE 'not-spam%' AND result.detail NOT LIKE 'auth-failure%'
    ))
    AND NOT EXISTS (
        SELECT 1 FROM email_results AS earlier
        WHERE earlier.request_id = result.request_id AND earlier.id < result.id AND +earlier.status = result.status
            AND +earlier.recipient = result.recipient AND earlier.detail NOT LIKE 'Transient%'
    )
"""
_ADD = f"""
INSERT INTO tenant_days (day, tenant, delivered, bounced, complained)
SELECT day, tenant, sum(kind = 'Delivery'), sum(kind = 'Bounce'), sum(kind = 'Complaint') FROM ({_RESULTS})
WHERE true GROUP BY 1, 2
ON CONFLICT DO UPDATE SET delivered = delivered + excluded.delivered, bounced = bounced + excluded.bounced,
    complained = complained + excluded.complained
"""  # noqa: S608 - constants

_COLUMNS = ", ".join(f"sum({column}) AS {column}" for column in COLUMNS)
_TOTALS = f"""
SELECT tenant, {_COLUMNS} FROM tenant_days WHERE day >= :since AND (:tenant IS NULL OR tenant = :tenant)
GROUP BY tenant ORDER BY sum(sent) DESC, tenant LIMIT :limit
"""  # noqa: S608 - constants
_DAYS = f"SELECT day, {', '.join(COLUMNS)} FROM tenant_days WHERE day >= :since AND tenant = :tenant ORDER BY day"  # noqa: S608

SUMS = ResultSums("tenant_days_progress", [_ADD], ["tenant_days"])


class TenantDays:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def update(self) -> None:
        """See `ResultSums.update`."""
        await SUMS.update(self._database)

    async def totals(self, since: int, limit: int, tenant: str | None = None) -> list[sqlite3.Row]:
        """Sums since a day (Unix time / 86400), of the tenants with the most mail or of the one that is named."""
        return await self._database.fetch(_TOTALS, {"since": since, "limit": limit, "tenant": tenant})

    async def days(self, since: int, tenant: str) -> list[sqlite3.Row]:
        """A tenant's days since then, in order; those without mail are missing."""
        return await self._database.fetch(_DAYS, {"since": since, "tenant": tenant})
