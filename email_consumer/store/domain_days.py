"""What became of mail by its recipients' domain and day: summed up from the results, many at a time.

Counted with each event it would cost a write to a random page. A sum of thousands of results touches few domains.
"""

import sqlite3

from email_consumer.store.database import Database
from email_consumer.store.mail_index import DOMAIN
from email_consumer.store.result_sums import ResultSums

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

SUMS = ResultSums("domain_days_progress", [_ADD_RESULTS, _ADD_DELAYS], ["domain_days", "domain_delays"])


class DomainDays:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def update(self) -> None:
        """See `ResultSums.update`."""
        await SUMS.update(self._database)

    async def domains(self, since: int, limit: int, domain: str | None = None) -> list[sqlite3.Row]:
        """Sums since a day (Unix time / 86400), of the domains with the most mail or of the one that is named."""
        return await self._database.fetch(_TOTALS, {"since": since, "limit": limit, "domain": domain})

    async def days(self, since: int, domain: str) -> list[sqlite3.Row]:
        """A domain's days since then, in order; those without mail are missing."""
        return await self._database.fetch(_DAYS, {"since": since, "domain": domain})

    async def reasons(self, since: int, domain: str) -> list[sqlite3.Row]:
        """Why the domain's mail was delayed, the most frequent reason first."""
        return await self._database.fetch(_REASONS, {"since": since, "domain": domain})
