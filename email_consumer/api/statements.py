"""The SQL of the `/v1` routes, a comment per statement."""

from email_consumer.message.lane import Lane
from email_consumer.store.mail_index import DOMAIN
from email_consumer.store.mail_state import RESULTS as RESULTS_OF_RECIPIENT
from email_consumer.store.status import Status

NOTE_CANCELLATION = """
INSERT INTO cancellations (topic_id, stream, sequence, stored_before, cancelled_at)
VALUES (:topic_id, :stream, :sequence, :before, :now)
ON CONFLICT (topic_id) DO UPDATE
SET stream = excluded.stream, sequence = excluded.sequence, stored_before = excluded.stored_before,
    cancelled_at = excluded.cancelled_at
"""

LAST_MAIL = "SELECT coalesce(max(id), 0) FROM email_requests"

# Each row moves the sums of its topic and of its cancellation by trigger.
STOP_TOPIC = f"""
UPDATE email_requests SET status = {Status.STOPPED}, error = :error, finished_at = :now, updated_at = :now
WHERE id IN (
    SELECT id FROM email_requests WHERE topic_id = :topic_id AND status = {Status.CREATED} AND id <= :last ORDER BY id LIMIT :most
)
RETURNING published_at IS NULL AND content_id IS NOT NULL AS unpublished
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

_RESULTS = f"{RESULTS_OF_RECIPIENT} AS results"

MAIL = f"SELECT *, {_RESULTS} FROM email_requests AS mail WHERE uuid = ?"

ATTEMPTS = """
SELECT created_at, outcome, reason FROM email_attempts
WHERE request_id = (SELECT id FROM email_requests WHERE uuid = ?) ORDER BY id DESC LIMIT ?
"""

RESULTS = """
SELECT created_at, status, recipient, machine, raw FROM email_results
WHERE request_id = (SELECT id FROM email_requests WHERE uuid = ?) ORDER BY created_at DESC, id DESC LIMIT ?
"""

# All recipients of a content in one statement, so that SQLite loops over them instead of Python.
INSERT_MAILS = f"""
INSERT INTO email_requests
    (uuid, topic_id, email, content_id, scheduled_at, expires_at, status, source, recipients_hash, content_hash, lane,
     tenant, subject, created_at, updated_at)
SELECT json_extract(value, '$[0]'), :topic_id, json_extract(value, '$[1]'), :content_id, :due_at, :expires_at,
    {Status.CREATED}, 'api', json_extract(value, '$[2]'), :content_hash, :lane, :tenant, :subject, :now, :now
FROM json_each(:recipients)
"""

# To which trace they belong.
TRACE_MAILS = """
INSERT INTO mail_traces (request_id, traceparent)
SELECT mail.id, :traceparent
FROM json_each(:recipients) JOIN email_requests AS mail ON mail.uuid = json_extract(value, '$[0]')
"""

_ADDRESS = "coalesce(address, email)"
_DOMAIN = f"(SELECT {DOMAIN} FROM (SELECT {_ADDRESS} AS address))"


def _indexed(table: str, column: str, of_row: str) -> str:
    """Ids from an index of mail, and from the latest mail, which is not in it yet."""
    return f"""
SELECT * FROM (
    SELECT request_id AS id FROM {table}
    WHERE {column} = :value AND request_id >= :first AND request_id < :before ORDER BY request_id DESC LIMIT :limit
)
UNION ALL SELECT * FROM (
    SELECT id FROM email_requests
    WHERE id > (SELECT last_id FROM mail_addresses_progress) AND id >= :first AND id < :before AND {of_row} = :value
    ORDER BY id DESC LIMIT :limit
)
ORDER BY id DESC LIMIT :limit
"""


# Ids of mail that may be wanted, latest first, by the index that leaves the fewest.
IDS_BY_ADDRESS = _indexed("mail_addresses", "address", _ADDRESS)
IDS_BY_DOMAIN = _indexed("mail_domains", "domain", _DOMAIN)
IDS_BY_TOPIC = _indexed("mail_topics", "topic_id", "topic_id")

IDS_BY_INCIDENT = """
SELECT request_id AS id FROM mail_incidents WHERE state = :value AND request_id >= :first AND request_id < :before
ORDER BY request_id DESC LIMIT :limit
"""

IDS_BY_INCIDENT_OF_TOPIC = """
SELECT request_id AS id FROM mail_incidents
WHERE topic_id = :topic_id AND state = :value AND request_id >= :first AND request_id < :before
ORDER BY request_id DESC LIMIT :limit
"""

IDS_IN_PROCESS = f"""
SELECT id FROM email_requests WHERE status = {Status.PROCESSED} AND id >= :first AND id < :before ORDER BY id DESC LIMIT :limit
"""

IDS_CREATED = f"""
SELECT id FROM email_requests WHERE status = {Status.CREATED} AND id >= :first AND id < :before ORDER BY id DESC LIMIT :limit
"""

IDS_CREATED_OF_TOPIC = f"""
SELECT id FROM email_requests
WHERE topic_id = :topic_id AND status = {Status.CREATED} AND id >= :first AND id < :before ORDER BY id DESC LIMIT :limit
"""

IDS = "SELECT id FROM email_requests WHERE id >= :first AND id < :before ORDER BY id DESC LIMIT :limit"

# Of those, the mail that is wanted. What is null here was not asked for.
LISTED = f"""
SELECT mail.*, {_RESULTS} FROM json_each(:ids) AS wanted CROSS JOIN email_requests AS mail ON mail.id = wanted.value
WHERE (:status IS NULL OR status = :status) AND (:topic_id IS NULL OR topic_id = :topic_id)
    AND (:address IS NULL OR {_ADDRESS} = :address) AND (:domain IS NULL OR {_DOMAIN} = :domain)
    AND (:lane IS NULL OR coalesce(lane, '{Lane.BULK}') = :lane) AND (:tenant IS NULL OR tenant = :tenant)
    AND created_at >= :since AND created_at < :until
ORDER BY mail.id DESC
"""

_EARLIER = """
(SELECT created_at FROM email_requests WHERE id >= (low + high) / 2 ORDER BY id LIMIT 1) < :moment
"""

# Ids are in the order of creation, so no index by time is needed: the least id of the mail since :moment is found by halving.
FIRST_SINCE = f"""
WITH RECURSIVE bounds (low, high) AS (
    SELECT (SELECT coalesce(min(id), 1) FROM email_requests), (SELECT coalesce(max(id), 0) + 1 FROM email_requests)
    UNION ALL
    SELECT iif({_EARLIER}, (low + high) / 2 + 1, low), iif({_EARLIER}, high, (low + high) / 2) FROM bounds WHERE low < high
)
SELECT low FROM bounds WHERE low >= high
"""

ANSWERED = "SELECT hash, answer FROM idempotency_keys WHERE key = ?"

REMEMBER_ANSWER = "INSERT INTO idempotency_keys (key, hash, answer, created_at) VALUES (?, ?, ?, ?)"

# A few at a time, so that no request pays for a large cleanup.
FORGET_ANSWERS = """
DELETE FROM idempotency_keys WHERE key IN
    (SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT 10)
"""

STATUS_COUNTS = "SELECT status, count FROM topic_counts WHERE topic_id = ?"

TRANSACTIONAL_COUNTS = "SELECT status, count FROM topic_transactional_counts WHERE topic_id = ?"

RESULT_COUNTS = "SELECT kind, count FROM topic_results WHERE topic_id = ?"

SENT_SINCE = "SELECT coalesce(sum(count), 0) FROM sent_minutes WHERE minute > ?"

# The first and last sending of a topic, and how many of its mails were sent since :minute.
TOPIC_PACE = """
SELECT
    (SELECT first_at FROM topic_minutes WHERE topic_id = :topic_id ORDER BY minute LIMIT 1),
    (SELECT last_at FROM topic_minutes WHERE topic_id = :topic_id ORDER BY minute DESC LIMIT 1),
    (SELECT sum(count) FROM topic_minutes WHERE topic_id = :topic_id AND minute >= :minute)
"""

_WAITS_FOR_ITS_TIME = f"""
uuid = :uuid AND source = 'api' AND status = {Status.CREATED} AND published_at IS NULL AND in_doubt = 0
    AND content_id IS NOT NULL AND scheduled_at > :now
"""

MOVE = f"UPDATE email_requests SET scheduled_at = :due_at, updated_at = :now WHERE {_WAITS_FOR_ITS_TIME}"

CANCEL_MAIL = f"""
UPDATE email_requests SET status = {Status.STOPPED}, error = :error, finished_at = :now, updated_at = :now
WHERE {_WAITS_FOR_ITS_TIME}
"""

API_MAIL = f"""
SELECT mail.*, content.subject AS whole_subject, content.content, content.extra, {_RESULTS} FROM email_requests AS mail
LEFT JOIN email_contents AS content ON content.id = content_id WHERE uuid = ? AND source = 'api'
"""

CONTENT_OF_MAIL = """
SELECT content.subject, content.content, extra FROM email_requests AS mail
LEFT JOIN email_contents AS content ON content.id = content_id WHERE uuid = ?
"""


def _reasons(of_topic: str) -> str:
    """Reasons of the latest mail that something happened to; of an event what SES reports, otherwise the error."""
    return f"""
SELECT CASE
        WHEN :state IN ('failed', 'stopped') THEN (SELECT error FROM email_requests WHERE id = request_id)
        ELSE (
            SELECT detail FROM email_results AS result WHERE result.request_id = noted.request_id AND +result.status = CASE :state
                WHEN 'bounced' THEN 'Bounce' WHEN 'complained' THEN 'Complaint' ELSE 'DeliveryDelay' END
            ORDER BY id DESC LIMIT 1
        )
    END AS reason, count(*) AS mails
FROM (SELECT request_id FROM mail_incidents WHERE {of_topic} state = :state ORDER BY request_id DESC LIMIT :limit) AS noted
GROUP BY reason
"""


REASONS = _reasons("")
REASONS_OF_TOPIC = _reasons("topic_id = :topic_id AND")
