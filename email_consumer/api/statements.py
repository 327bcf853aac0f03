"""The SQL of the `/v1` routes, a comment per statement."""

from email_consumer.store.status import Status

NOTE_CANCELLATION = """
INSERT INTO cancellations (topic_id, stream, sequence, stored_before, cancelled_at)
VALUES (:topic_id, :stream, :sequence, :before, :now)
ON CONFLICT (topic_id) DO UPDATE
SET stream = excluded.stream, sequence = excluded.sequence, stored_before = excluded.stored_before,
    cancelled_at = excluded.cancelled_at
"""

# Each row moves the sums of its topic and of its cancellation by trigger.
STOP_TOPIC = f"""
UPDATE email_requests SET status = {Status.STOPPED}, error = :error, finished_at = :now, updated_at = :now
WHERE topic_id = :topic_id AND status = {Status.CREATED}
"""

COUNT_UNPUBLISHED = f"""
SELECT count(*) FROM email_requests
WHERE topic_id = ? AND status = {Status.CREATED} AND published_at IS NULL AND content_id IS NOT NULL
"""

# One statement, so that all numbers come from the same snapshot.
RECEIPT = """
SELECT stream, sequence, cancelled_at, cancelled, status, count
FROM cancellations LEFT JOIN topic_counts USING (topic_id) WHERE topic_id = ?
"""

# What the previous version recorded belongs to this stream, unless the stream has not reached that sequence or was created
# later: then it belongs to a deleted stream and stops no mail of this one.
ADOPT_CANCELLATIONS = """
UPDATE cancellations
SET (stream, sequence) = (
    SELECT :stream, sequence WHERE sequence <= :sequence AND cancelled_at + :skew >= :made_at UNION ALL SELECT '', 0 LIMIT 1
)
WHERE stream IS NULL
"""

FORGET_CANCELLATIONS = """
DELETE FROM cancellations
WHERE cancelled_at < :before AND (stream <> :stream OR sequence <= :settled OR :nothing_left)
"""

CANCELLATIONS = "SELECT topic_id, stream, sequence, coalesce(stored_before, cancelled_at) AS before FROM cancellations"

MAIL = "SELECT * FROM email_requests WHERE uuid = ?"

ATTEMPTS = """
SELECT created_at, outcome, reason FROM email_attempts WHERE request_id = ? ORDER BY id DESC LIMIT ?
"""

RESULTS = """
SELECT created_at, status, recipient, machine, raw FROM email_results
WHERE request_id = ? ORDER BY created_at DESC, id DESC LIMIT ?
"""

# All recipients of a content in one statement, so that SQLite loops over them instead of Python.
INSERT_MAILS = f"""
INSERT INTO email_requests
    (uuid, topic_id, email, content_id, scheduled_at, expires_at, status, source, recipients_hash, content_hash, lane,
     subject, created_at, updated_at)
SELECT json_extract(value, '$[0]'), :topic_id, json_extract(value, '$[1]'), :content_id, :due_at, :expires_at,
    {Status.CREATED}, 'api', json_extract(value, '$[2]'), :content_hash, :lane, :subject, :now, :now
FROM json_each(:recipients)
"""

ANSWERED = "SELECT hash, answer FROM idempotency_keys WHERE key = ?"

REMEMBER_ANSWER = "INSERT INTO idempotency_keys (key, hash, answer, created_at) VALUES (?, ?, ?, ?)"

# A few at a time, so that no request pays for a large cleanup.
FORGET_ANSWERS = """
DELETE FROM idempotency_keys WHERE key IN
    (SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 10)
"""

STATUS_COUNTS = "SELECT status, count FROM topic_counts WHERE topic_id = ?"

RESULT_COUNTS = "SELECT kind, count FROM topic_results WHERE topic_id = ?"

SENT_SINCE = "SELECT coalesce(sum(count), 0) FROM sent_minutes WHERE minute > ?"
