"""The SQL of what waits in the store, a comment per statement."""

from email_consumer.store.status import Status

# As the index of mail that is to be published is ordered: one lane's, one tenant's, the longest due first.
_OF_LANE = f"""
(status = {Status.CREATED} OR in_doubt = 1) AND published_at IS NULL AND content_id IS NOT NULL AND held_by IS NULL
    AND (lane IS 'transactional') = :transactional
"""
_TENANT = "coalesce(tenant, '')"
_DUE_AT = "coalesce(scheduled_at, created_at)"

# The tenants of a lane's mail, a step of the index for each; mail without a tenant counts as one tenant, the first.
TENANTS = f"""
WITH RECURSIVE found (tenant) AS (
    SELECT min({_TENANT}) FROM email_requests WHERE {_OF_LANE}
    UNION ALL
    SELECT (SELECT min({_TENANT}) FROM email_requests WHERE {_OF_LANE} AND {_TENANT} > found.tenant)
    FROM found WHERE tenant IS NOT NULL LIMIT :most
)
SELECT tenant FROM found WHERE tenant IS NOT NULL
"""


def _count(due: str) -> str:
    return f"""
SELECT count(*) AS mails, min(at) AS first FROM (
    SELECT {_DUE_AT} AS at FROM email_requests
    WHERE {_OF_LANE} AND {_TENANT} = :tenant AND {_DUE_AT} {due} :now ORDER BY {_DUE_AT}, id LIMIT :limit
)
"""


# Some of a tenant's mail in a lane, the first of it.
COUNT_SCHEDULED = _count(">")
COUNT_DUE = _count("<=")
