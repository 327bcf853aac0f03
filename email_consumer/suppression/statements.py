"""The suppression list's SQL, a comment per statement. Lists of values go in as one JSON array."""

FIND_SUPPRESSIONS = """
SELECT address, reason, detail, source, created_at, removed_at FROM suppressions
WHERE address IN (SELECT value FROM json_each(?))
"""

PUT_SUPPRESSION = """
INSERT INTO suppressions (address, reason, detail, source, created_at, mirror)
VALUES (:address, :reason, :detail, :source, :created_at, :mirror)
ON CONFLICT (address) DO UPDATE
SET reason = excluded.reason, detail = excluded.detail, source = excluded.source, created_at = excluded.created_at,
    removed_at = NULL, mirror = excluded.mirror
"""

REMOVE_SUPPRESSION = """
UPDATE suppressions SET removed_at = :now, mirror = :mirror WHERE address = :address AND removed_at IS NULL
"""

# A series of soft bounces that was interrupted by a delivery leaves no entry.
FORGET_SUPPRESSION = "DELETE FROM suppressions WHERE address = ?"

# Soft bounces of each address since its last delivery or its removal from the list; one per mail, as a mail
# may bounce more than once. Which bounces count: `suppression.SOFT`.
SOFT_BOUNCES = """
WITH since AS (
    SELECT value AS address,
        max(coalesce((SELECT max(created_at) FROM email_results WHERE recipient = value AND status = 'Delivery'), 0),
            coalesce((SELECT removed_at FROM suppressions WHERE address = value), 0)) AS moment
    FROM json_each(:addresses)
)
SELECT address, request_id, min(created_at) AS bounced_at
FROM since JOIN email_results ON recipient = address AND status = 'Bounce' AND created_at > moment
WHERE detail = :soft
GROUP BY address, request_id ORDER BY address, bounced_at
"""

ACTIVE_SUPPRESSIONS = "SELECT address, reason FROM suppressions WHERE removed_at IS NULL"

REMOVED_SUPPRESSIONS = "SELECT address FROM suppressions WHERE removed_at IS NOT NULL"

PAGE_OF_SUPPRESSIONS = """
SELECT address, reason, detail, source, created_at, removed_at FROM suppressions
WHERE removed_at IS NULL AND address > :after AND (:reason IS NULL OR reason = :reason)
ORDER BY address LIMIT :limit
"""

TO_MIRROR = "SELECT address, reason, mirror FROM suppressions WHERE mirror IS NOT NULL LIMIT 100"

# Unless it was changed meanwhile.
MIRRORED = "UPDATE suppressions SET mirror = NULL WHERE address = :address AND mirror = :mirror AND reason = :reason"
