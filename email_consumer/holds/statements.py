"""The SQL of holds, a comment per statement."""

from email_consumer.store.status import Status

ACTIVE = "SELECT * FROM holds WHERE ended_at IS NULL ORDER BY id"

# Placed again, it goes on with another reason and end.
PLACE = """
INSERT INTO holds (key, reason, holder, since, until, transactional)
VALUES (:key, :reason, :holder, :now, :until, :transactional)
ON CONFLICT (key, holder) WHERE ended_at IS NULL DO UPDATE
SET reason = excluded.reason, until = excluded.until, transactional = excluded.transactional
RETURNING *
"""

# Of one key; by anybody, unless a holder is named.
RESUME = """
UPDATE holds SET ended_at = :now, ended_by = :by
WHERE key = :key AND ended_at IS NULL AND (:holder IS NULL OR holder = :holder) RETURNING *
"""

# Those that have an end, and may have got another one meanwhile.
EXPIRE = """
UPDATE holds SET ended_at = :now, ended_by = 'time'
WHERE id IN (SELECT value FROM json_each(:over)) AND ended_at IS NULL AND (until <= :now OR since > :now) RETURNING *
"""

WAITS = f"held_by IS NOT NULL AND (status = {Status.CREATED} OR in_doubt = 1)"
"""As in the index `email_requests_held`."""

# The keys that stored mail waits for: a step of the index for each.
KEYS = f"""
WITH RECURSIVE found (key) AS (
    SELECT min(held_by) FROM email_requests WHERE {WAITS}
    UNION ALL
    SELECT (SELECT min(held_by) FROM email_requests WHERE {WAITS} AND held_by > key) FROM found WHERE key IS NOT NULL
)
SELECT key FROM found WHERE key IS NOT NULL
"""

# How many mails wait for each.
COUNTS = f"SELECT held_by AS key, count(*) AS mails FROM email_requests WHERE {WAITS} GROUP BY held_by"

# Some mails of an ended hold become due. What they failed by before stays to be seen.
RELEASE = f"""
UPDATE email_requests SET held_by = NULL, updated_at = :now, error = iif(error LIKE 'held: %', NULL, error)
WHERE id IN (SELECT id FROM email_requests WHERE {WAITS} AND held_by = :key ORDER BY id LIMIT :limit)
"""
