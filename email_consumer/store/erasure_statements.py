"""The SQL of an erasure, a comment per statement."""

from email_consumer.store.status import Status

TO_IT = "coalesce(address, email) = :address"

# Each finds less and less, as what it finds is renamed. The latest mail is not in the index of addresses yet. What was sent
# to it as a copy is found by its results.
ADDRESSED = f"""
SELECT request_id AS id FROM mail_addresses WHERE address = :address
UNION ALL SELECT id FROM email_requests WHERE id > (SELECT last_id FROM mail_addresses_progress) AND {TO_IT}
LIMIT :most
"""

COPIED = "SELECT DISTINCT request_id AS id FROM email_results WHERE recipient = :address LIMIT :most"

# Texts are read from end to end, a few at a time.
NAMING = """
SELECT id FROM email_contents
WHERE id > :after AND id <= :after + :most
  AND (mentions(subject, :address) OR mentions(content, :address) OR json_mentions(extra, :address))
"""

LAST_CONTENT = "SELECT coalesce(max(id), 0) FROM email_contents"

# Subjects of mail to others that name it, which nearly none does: the function is asked only where there is an `@`, in
# whatever notation.
SUBJECTS = "SELECT id FROM email_requests WHERE subject GLOB '*[@\uff20\ufe6b%&]*' AND mentions(subject, :address)"

DROP_SUBJECTS = "UPDATE email_requests SET subject = NULL WHERE id IN (SELECT value FROM json_each(:ids))"

UNMATCHED = """
SELECT id FROM unmatched_events WHERE id > :after AND id <= :after + :most AND json_mentions(raw, :address)
"""

LAST_UNMATCHED = "SELECT coalesce(max(id), 0) FROM unmatched_events"

# Not published yet, or waiting for another attempt: it must not go out any more.
STOP = f"""
UPDATE email_requests SET status = {Status.STOPPED}, error = 'erased', finished_at = :now, updated_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND status = {Status.CREATED} AND {TO_IT}
"""

CONTENTS_OF = """
SELECT content_id FROM email_requests WHERE content_id IS NOT NULL AND id IN (SELECT value FROM json_each(:ids))
"""

COUNTED = """
SELECT topic_id, iif(machine, 'Machine', '') || result.status AS kind, recipient
FROM email_results AS result JOIN email_requests AS request ON request.id = request_id
WHERE recipient = :address AND request_id IN (SELECT value FROM json_each(:ids)) AND topic_id IS NOT NULL
UNION SELECT topic_id, kind, recipient FROM topic_recipients
WHERE recipient = :address AND kind = 'Unsubscribed'
    AND topic_id IN (SELECT topic_id FROM email_requests WHERE id IN (SELECT value FROM json_each(:ids)))
"""

RENAME = (
    # Whose result it was, in the sums of topics; before the results themselves are changed. Not by an update: a copy of
    # the rows knows them by their keys, and must hear that the old one is gone.
    f"INSERT OR IGNORE INTO topic_recipients SELECT topic_id, kind, :name FROM ({COUNTED})",
    f"DELETE FROM topic_recipients WHERE (topic_id, kind, recipient) IN ({COUNTED})",
    """
    UPDATE email_results SET recipient = :name
    WHERE recipient = :address AND request_id IN (SELECT value FROM json_each(:ids))
    """,
    # What SES sent names all recipients, headers and subject.
    "UPDATE email_results SET raw = '{}' WHERE request_id IN (SELECT value FROM json_each(:ids))",
    """
    UPDATE email_attempts SET reason = 'erased'
    WHERE mentions(reason, :address) AND request_id IN (SELECT value FROM json_each(:ids))
    """,
    """
    UPDATE email_requests SET error = 'erased'
    WHERE mentions(error, :address) AND id IN (SELECT value FROM json_each(:ids))
    """,
    f"""
    UPDATE email_requests
    SET email = :name, address = NULL, subject = NULL, content_id = NULL, recipients_hash = NULL, content_hash = NULL
    WHERE id IN (SELECT value FROM json_each(:ids)) AND {TO_IT}
    """,
)

# What waits for others goes on without the copy to it: to other recipients than its uuid stood for so far.
GO_ON_WITH = f"""
UPDATE email_requests SET content_id = :new, recipients_hash = NULL
WHERE content_id = :old AND status = {Status.CREATED} AND published_at IS NULL
"""

# A content that names the address (in its text, or as a copy's recipient) goes, unless something is still to be sent by it.
UNLINK = f"""
UPDATE email_requests SET content_id = NULL WHERE content_id IN (SELECT value FROM json_each(:ids)) AND NOT EXISTS (
    SELECT 1 FROM email_requests AS other WHERE other.content_id = email_requests.content_id AND other.status < {Status.SENT}
)
"""

DELETE_CONTENTS = """
DELETE FROM email_contents
WHERE id IN (SELECT value FROM json_each(:ids))
  AND NOT EXISTS (SELECT 1 FROM email_requests WHERE content_id = email_contents.id)
"""

DELETE_UNMATCHED = "DELETE FROM unmatched_events WHERE id IN (SELECT value FROM json_each(:ids))"

SUPPRESSION = "UPDATE suppressions SET detail = '' WHERE address = :address AND removed_at IS NULL"

FORMER_SUPPRESSION = "DELETE FROM suppressions WHERE address = :address AND removed_at IS NOT NULL AND mirror IS NULL"

# Events that are not published yet. Their other fields are read from the row of the mail, which is erased already. The
# row stays: the number of a deleted one could be given again, to an event that would then be taken for a published one.
EVENTS_OUT = (
    "UPDATE outbox SET type = '', address = NULL, reason = NULL WHERE address = :address",
    "UPDATE outbox SET reason = 'erased' WHERE mentions(reason, :address)",
)

AUDIT = "UPDATE audit_log SET target = 'erased' WHERE mentions(target, :address)"

# Streams that are still to be looked through.
ADD_STREAM_ERASURE = "INSERT INTO stream_erasures (stream, address) VALUES (:stream, :address)"

# All of one stream: it is read once for all addresses.
STREAM_ERASURES = """
SELECT id, stream, address, after FROM stream_erasures WHERE stream = (SELECT min(stream) FROM stream_erasures)
"""

STREAM_PROGRESS = """
UPDATE stream_erasures SET after = max(after, :after), deleted = deleted + :deleted WHERE id = :id
"""

STREAM_ERASED = "DELETE FROM stream_erasures WHERE id = ? RETURNING deleted"

DELIVERIES = """
SELECT id FROM webhook_deliveries WHERE id > :after AND id <= :after + :most AND json_mentions(body, :address)
"""

LAST_DELIVERY = "SELECT coalesce(max(id), 0) FROM webhook_deliveries"

DELETE_DELIVERIES = "DELETE FROM webhook_deliveries WHERE id IN (SELECT value FROM json_each(:ids))"
