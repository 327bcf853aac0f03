"""The SQL of mail in our own tables that waits to be published, a comment per statement."""

from email_consumer.store.status import Status

UNPUBLISHED = f"(status = {Status.CREATED} OR in_doubt = 1) AND published_at IS NULL AND content_id IS NOT NULL AND held_by IS NULL"
"""Not what waits for a hold."""

# As the index of due mail is ordered: one lane's, one tenant's, the longest due first.
_OF_LANE = "(lane IS 'transactional') = :transactional"
_TENANT = "coalesce(tenant, '')"
_DUE_AT = "coalesce(scheduled_at, created_at)"
_NOT_EXCLUDED = """
content_id NOT IN (SELECT value FROM json_each(:contents)) AND id NOT IN (SELECT value FROM json_each(:mails))
"""

# Tenants with unpublished mail in the order of their names, after one of these: a step of the index for each. Mail without a
# tenant counts as one tenant, the first.
_TURNS = f"""
WITH RECURSIVE turn (tenant) AS (
    SELECT * FROM (
        SELECT {_TENANT} FROM email_requests
        WHERE {UNPUBLISHED} AND {_OF_LANE} AND {_TENANT} > :after ORDER BY {_TENANT} LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT {_TENANT} FROM email_requests
        WHERE {UNPUBLISHED} AND {_OF_LANE} AND {_TENANT} > turn.tenant ORDER BY {_TENANT} LIMIT 1
    ) FROM turn WHERE tenant IS NOT NULL LIMIT :most
)
"""

TURNS = f"{_TURNS} SELECT tenant FROM turn WHERE tenant IS NOT NULL"

DUE = f"""
SELECT id, uuid, topic_id, email, content_id, expires_at, source, created_at, lane, tenant, held_times, ramped_on, limited_on,
    (SELECT hash FROM email_contents WHERE id = content_id) AS content_hash,
    (SELECT traceparent FROM mail_traces WHERE request_id = email_requests.id) AS traceparent
FROM email_requests
WHERE {UNPUBLISHED} AND {_OF_LANE} AND {_TENANT} = :tenant AND {_DUE_AT} <= :now
    AND {_NOT_EXCLUDED}
ORDER BY {_DUE_AT}, id LIMIT :limit
"""

# Due mail that a hold covers waits for it here, instead of being published and brought back.
HOLD = """
UPDATE email_requests SET held_by = :key, error = coalesce(error, 'held: ' || :key), updated_at = :now
WHERE id = :id AND held_by IS NULL AND published_at IS NULL
"""

NEXT_DUE = f"""
{_TURNS}
SELECT min((
    SELECT {_DUE_AT} FROM email_requests
    WHERE {UNPUBLISHED} AND {_OF_LANE} AND {_TENANT} = turn.tenant
        AND {_NOT_EXCLUDED}
    ORDER BY {_DUE_AT}, id LIMIT 1
)) FROM turn
"""

# Which contents are still there: by row id, with their hashes.
STILL_THERE = """
SELECT content.id FROM json_each(:contents) AS known CROSS JOIN email_contents AS content ON content.id = CAST(known.key AS INTEGER)
WHERE hex(content.hash) = known.value
"""

CONTENT = "SELECT subject, content, extra FROM email_contents WHERE hash = ?"

# The mail stays unpublished; its status shows the reason.
NOTE_REFUSED = f"""
UPDATE email_requests SET error = :reason, updated_at = :now
WHERE content_id = :content AND status = {Status.CREATED} AND published_at IS NULL AND error IS NOT :reason
    AND (SELECT hex(hash) FROM email_contents WHERE id = :content) = :hash
"""

OUTSTANDING = f"SELECT id FROM email_requests WHERE status < {Status.SENT} AND published_at IS NOT NULL"

# Why it could not be published before is over. A worker may have it settled by now: then the error is what became of it; or
# put back because of a hold or its send window.
MARK_PUBLISHED = f"""
UPDATE email_requests SET published_at = :now, published_sequence = value->>1,
    error = iif(status = {Status.CREATED} AND attempts = 0, NULL, error)
FROM json_each(:published) WHERE email_requests.id = value->>0 AND held_by IS NULL
    AND coalesce(scheduled_at, 0) <= :now
"""

FINISH = f"""
UPDATE email_requests SET status = :status, error = :error, in_doubt = 0, finished_at = :now, updated_at = :now
WHERE id = :id AND (status = {Status.CREATED} OR in_doubt = 1)
"""

# Open, but the queue's consumer is past it, or its stream is gone: however it got lost, it is published again.
# Sequence 0: published by an earlier version, or to an unordered queue.
UNPUBLISH = f"""
UPDATE email_requests SET published_at = NULL
WHERE published_at < :before AND published_at IS NOT NULL AND status < {Status.SENT} AND (status = {Status.CREATED} OR in_doubt = 1)
    AND (:nothing_left OR published_sequence > :last OR published_sequence BETWEEN 1 AND :settled)
"""

SKIP_MISFIRED = f"""
UPDATE email_requests SET status = {Status.STOPPED}, error = :error, finished_at = :now, updated_at = :now
WHERE status = {Status.CREATED} AND published_at IS NULL AND content_id IS NOT NULL AND held_by IS NULL AND scheduled_at > :alive AND scheduled_at < :late
"""
