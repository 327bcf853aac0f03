"""The ledger's SQL, a comment per statement.

What every mail needs takes a group's rows as one JSON array: SQLite then iterates over them internally, while a statement
executed for each row would fight with the event loop for the interpreter's lock at each of them. The rows are arrays,
since to look a value up by its name costs more.
"""

from email_consumer.ledgers.row_changes import DEAD_LETTER_PENDING
from email_consumer.store.retired import RETIRED_NAME
from email_consumer.store.status import Status

# What is known of the uuids of a group, given as a JSON array.
KNOWN = f"""
SELECT uuid, id, content_id, status, attempts, in_doubt, claimed_at, finished_at, replay_of, recipients_hash, content_hash, error,
    status = {Status.STOPPED} AND error LIKE 'suppressed%' AS suppressed
FROM email_requests WHERE uuid IN (SELECT value FROM json_each(?))
"""

# A uuid never seen: the row is born claimed, or in doubt if another ledger may have sent it. Each is an array: uuid, tag,
# topic_id, email, expires_at, in_doubt, claimed_at, replay_of, source, recipients_hash, content_hash, subject.
INSERT_CLAIMED = f"""
INSERT INTO email_requests
    (uuid, tag, topic_id, email, expires_at, status, in_doubt, claimed_at, replay_of, source, recipients_hash, content_hash,
     subject, created_at, updated_at)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, {Status.PROCESSED}, value->>5, value->>6, value->>7, value->>8, value->>9,
    value->>10, value->>11, :now, :now
FROM json_each(:rows)
"""

# A row that may be tried (again): released after a failure, waiting in our keeping, in doubt for long enough, replayed.
RECLAIM = f"""
UPDATE email_requests
SET status = {Status.PROCESSED}, in_doubt = 0, claimed_at = :now, updated_at = :now, attempts = :attempts, error = NULL, finished_at = NULL,
    replay_of = coalesce(:replay_of, replay_of), recipients_hash = :recipients_hash, content_hash = :content_hash
WHERE id = :id
"""

# A finished uuid begins another life: the old row keeps its history under another name.
RETIRE = f"UPDATE email_requests SET uuid = {RETIRED_NAME} WHERE id = :id"

# A mail that is due later, with its content in our keeping.
INSERT_SCHEDULED = f"""
INSERT INTO email_requests
    (uuid, tag, topic_id, email, content_id, scheduled_at, expires_at, status, replay_of, source, revision, recipients_hash,
     content_hash, subject, created_at, updated_at)
VALUES (:uuid, :tag, :topic_id, :email, :content_id, :scheduled_at, :expires_at, {Status.CREATED}, :replay_of, :source, :revision,
    :recipients_hash, :content_hash, :subject, :now, :now)
ON CONFLICT (uuid) DO NOTHING
"""

# The outcome of a claim. A row that an event settled meanwhile is left as the event says. Each is an array: uuid, status,
# attempts, in_doubt, error, message_id, finished_at. A mail that was given up before its dead letter had a place is not
# claimed any more, and its attempts are counted.
FINISH = f"""
UPDATE email_requests
SET status = value->>1, attempts = attempts + iif(status = {Status.PROCESSED}, value->>2, 0), in_doubt = value->>3, error = value->>4,
    message_id = coalesce(value->>5, message_id), finished_at = value->>6, updated_at = :now,
    -- The grace of a doubt counts from here: the request may have been under way for long.
    claimed_at = CASE WHEN value->>3 THEN :now ELSE claimed_at END
FROM json_each(:rows) WHERE uuid = value->>0 AND (status = {Status.PROCESSED} OR (status = {Status.CREATED} AND error LIKE '{DEAD_LETTER_PENDING}%'))
"""

# A mail that is stopped without ever being claimed, or given up while in doubt. Another mail of the same uuid, to other
# recipients, is not stopped by it. `kept`: an erasure may have removed recipients since.
STOP = f"""
INSERT INTO email_requests
    (uuid, tag, topic_id, email, expires_at, status, error, finished_at, source, recipients_hash, content_hash, subject,
     created_at, updated_at)
VALUES (:uuid, :tag, :topic_id, :email, :expires_at, {Status.STOPPED}, :error, :now, :source, :recipients_hash, :content_hash,
    :subject, :now, :now)
ON CONFLICT (uuid) DO UPDATE
SET status = {Status.STOPPED}, error = excluded.error, attempts = attempts + in_doubt, in_doubt = 0, finished_at = excluded.finished_at, updated_at = excluded.updated_at
WHERE (status = {Status.CREATED} OR (status = {Status.PROCESSED} AND in_doubt = 1))
    AND (:kept OR recipients_hash IS NULL OR recipients_hash = excluded.recipients_hash)
"""

# What was given up while in doubt may have been sent: published again with another content it must stay a duplicate.
FORGET_CONTENT = f"UPDATE email_requests SET content_hash = NULL WHERE uuid = :uuid AND status = {Status.FAILED}"

# One line of a mail's history.
REMARK = """
INSERT INTO email_attempts (request_id, outcome, reason, created_at)
SELECT id, :remark, :error, :now FROM email_requests WHERE uuid = :uuid
"""

# A copy of a mail that went to its other recipients alone; once, however many attempts there were.
LEFT_OUT = """
INSERT INTO email_results (request_id, status, recipient, detail, raw, created_at)
SELECT id, 'Suppressed', :address, :reason, json_object('reason', :reason), :now FROM email_requests
WHERE uuid = :uuid AND NOT EXISTS (
    SELECT 1 FROM email_results WHERE request_id = email_requests.id AND status = 'Suppressed' AND recipient = :address
)
"""

# Claims of a dead process, found when this one opened the database.
DOUBT_ORPHANS = f"UPDATE email_requests SET in_doubt = 1, error = 'the process ended during the attempt' WHERE status = {Status.PROCESSED} AND in_doubt = 0"

# Whether SES's message id is known already.
KNOWN_AS_SENT = f"SELECT 1 FROM email_requests WHERE message_id = ? AND status = {Status.SENT}"
