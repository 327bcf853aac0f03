"""The feedback loop's SQL, a comment per statement. Lists of values go in as one JSON array."""

from email_consumer.store.status import Status

# Which SNS messages were applied already.
KNOWN_MESSAGES = "SELECT message_id FROM sns_messages WHERE message_id IN (SELECT value FROM json_each(?))"

REMEMBER_MESSAGE = "INSERT INTO sns_messages (message_id, received_at) VALUES (?, ?)"

FORGETS = 2_000
"""Messages that are forgotten at once."""
# The oldest first: ids are in the order of arrival. Those of a clock that was far ahead must not keep the others.
FORGET_MESSAGES = f"""
DELETE FROM sns_messages
WHERE id IN (SELECT id FROM sns_messages ORDER BY id LIMIT {FORGETS})
    AND (received_at < :now - :memory OR received_at > :now + :memory)
"""

# The mails that a group of events may be about: by SES's id, or by our uuid.
_MAIL = """
id, uuid, tag, message_id, coalesce(address, email) AS recipient, status, revision, topic_id, tenant, lane, finished_at, created_at,
claimed_at
"""
FIND_MAILS = f"""
SELECT {_MAIL} FROM email_requests
WHERE message_id IN (SELECT value FROM json_each(:message_ids))
UNION ALL
SELECT {_MAIL} FROM email_requests
WHERE uuid IN (SELECT value FROM json_each(:tags))
UNION ALL
SELECT {_MAIL} FROM email_requests
WHERE tag IN (SELECT value FROM json_each(:tags))
"""

# Any event proves that SES accepted the mail, even one that was stopped while in doubt. If it was being sent or in doubt,
# that attempt was not counted yet; if it was stopped, it was.
SETTLE = f"""
UPDATE email_requests
SET status = {Status.SENT}, in_doubt = 0, error = NULL, attempts = attempts + (status = {Status.PROCESSED}),
    message_id = coalesce(message_id, :message_id), finished_at = :now, updated_at = :now
WHERE id = :id AND status <> {Status.SENT}
"""

# What was reported of some mails before.
REPORTS = """
SELECT request_id, status, detail FROM email_results
WHERE request_id IN (SELECT value FROM json_each(?)) AND status IN ('Delivery', 'Bounce', 'Complaint')
"""

INSERT_RESULT = """
INSERT INTO email_results (request_id, status, recipient, machine, detail, raw, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

KEEP_UNMATCHED = "INSERT INTO unmatched_events (message_id, tag, received_at, raw) VALUES (?, ?, ?, ?)"

DROP_TOO_MANY_UNMATCHED = "DELETE FROM unmatched_events WHERE id <= (SELECT max(id) FROM unmatched_events) - ?"

DROP_OLD_UNMATCHED = """
DELETE FROM unmatched_events
WHERE id IN (SELECT id FROM unmatched_events ORDER BY id LIMIT 500) AND received_at < ?
"""

# Events whose mail has become known, and the revision of the mail with their tag.
FIND_MATCHABLE = """
SELECT id, message_id, tag, coalesce(
    (SELECT revision FROM email_requests WHERE uuid = event.tag),
    (SELECT max(revision) FROM email_requests WHERE tag = event.tag),
    0
) AS revision
FROM unmatched_events AS event
WHERE EXISTS (SELECT 1 FROM email_requests WHERE message_id = event.message_id)
   OR EXISTS (SELECT 1 FROM email_requests WHERE uuid = event.tag)
   OR EXISTS (SELECT 1 FROM email_requests WHERE tag = event.tag)
LIMIT 500
"""

TAKE_UNMATCHED = """
DELETE FROM unmatched_events WHERE id IN (SELECT value FROM json_each(?)) RETURNING id, raw, received_at
"""

# Mails in doubt, ordered by id.
PAGE_IN_DOUBT = f"""
SELECT id, uuid, topic_id, email, attempts, claimed_at, error FROM email_requests
WHERE status = {Status.PROCESSED} AND in_doubt = 1 AND id > :after ORDER BY id LIMIT :limit
"""
