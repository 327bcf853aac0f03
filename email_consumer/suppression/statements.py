"""The suppression list's SQL, a comment per statement. Lists of values go in as one JSON array."""

from email_consumer.suppression.suppression import EVERYTHING

FIND_SUPPRESSIONS = """
SELECT address, scope, reason, detail, source, created_at, removed_at FROM suppressions
WHERE address IN (SELECT value FROM json_each(?))
"""

PUT_SUPPRESSION = """
INSERT INTO suppressions (address, scope, reason, detail, source, created_at, mirror)
VALUES (:address, :scope, :reason, :detail, :source, :created_at, :mirror)
ON CONFLICT (address, scope) DO UPDATE
SET reason = excluded.reason, detail = excluded.detail, source = excluded.source, created_at = excluded.created_at,
    removed_at = NULL, mirror = excluded.mirror
"""

REMOVE_SUPPRESSION = """
UPDATE suppressions SET removed_at = :now, mirror = :mirror
WHERE address = :address AND scope = :scope AND removed_at IS NULL
"""

# A series of soft bounces that was interrupted by a delivery counts for nothing, as if there had never been an entry: removed
# before all that can happen. The row stays for a while, since this process may end before it notifies the workers.
FORGET_SUPPRESSION = "UPDATE suppressions SET removed_at = 0 WHERE address = ? AND scope = ?"

# Soft bounces of each address since its last delivery or its removal from the list; one per mail, as a mail
# may bounce more than once. Which bounces count: `suppression.SOFT`.
SOFT_BOUNCES = f"""
WITH since AS (
    SELECT value AS address,
        max(coalesce((SELECT max(created_at) FROM email_results WHERE recipient = value AND status = 'Delivery'), 0),
            coalesce((SELECT removed_at FROM suppressions WHERE address = value AND scope = '{EVERYTHING}'), 0)) AS moment
    FROM json_each(:addresses)
)
SELECT address, request_id, min(created_at) AS bounced_at
FROM since JOIN email_results ON recipient = address AND status = 'Bounce' AND created_at > moment
WHERE detail = :soft
GROUP BY address, request_id ORDER BY address, bounced_at
"""

# Of an address the widest scope comes last.
ACTIVE_SUPPRESSIONS = """
SELECT address, scope, reason FROM suppressions WHERE removed_at IS NULL ORDER BY address DESC, scope DESC
"""

REMOVED_SUPPRESSIONS = "SELECT address, scope FROM suppressions WHERE removed_at IS NOT NULL"

PAGE_OF_SUPPRESSIONS = """
SELECT address, scope, reason, detail, source, created_at, removed_at FROM suppressions
WHERE removed_at IS NULL AND (address, scope) > (:address, :scope)
    AND (:reason IS NULL OR reason = :reason) AND (:only IS NULL OR scope = :only)
ORDER BY address, scope LIMIT :limit
"""

TO_MIRROR = "SELECT address, scope, reason, mirror FROM suppressions WHERE mirror IS NOT NULL LIMIT 100"

# Unless it was changed meanwhile.
MIRRORED = """
UPDATE suppressions SET mirror = NULL
WHERE address = :address AND scope = :scope AND mirror = :mirror AND reason = :reason
"""
