"""The ledger's SQL, a comment per statement.

What every mail needs takes several rows at a time: SQLite then iterates over them internally, while a statement executed
for each row would fight with the event loop for the interpreter's lock at each of them. `for_rows` executes these.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain

from email_consumer.ledgers.row_changes import DEAD_LETTER_PENDING
from email_consumer.store.retired import RETIRED_NAME
from email_consumer.store.status import Status

_MOST_ROWS = 128

_TEXT = "nullif(?, '')"
"""A value that may be missing. An empty text stands for that: Python's `sqlite3` takes a microsecond or two for each `None`, and for
each value of a subclass such as `bool`, since it looks for an adapter first."""


def for_rows(connection: sqlite3.Connection, statement: Callable[[int], str], rows: Sequence[Sequence[object]]) -> None:
    """Execute a statement that takes several rows at a time, for any number of rows.

    By powers of two, so that few statements are prepared, whatever the sizes of the groups.
    """
    start = 0
    while left := len(rows) - start:
        count = min(_MOST_ROWS, 1 << left.bit_length() - 1)
        connection.execute(statement(count), [*chain.from_iterable(rows[start : start + count])])
        start += count


# What is known of the uuids of a group, given as a JSON array.
KNOWN = f"""
SELECT uuid, id, content_id, status, attempts, in_doubt, claimed_at, finished_at, replay_of, recipients_hash, content_hash, error,
    status = {Status.STOPPED} AND (error LIKE 'suppressed%' OR error LIKE 'safe_mode%') AS suppressed
FROM email_requests WHERE uuid IN (SELECT value FROM json_each(?))
"""


@cache
def insert_claimed(rows: int) -> str:
    """A uuid never seen: the row is born claimed, or in doubt if another ledger may have sent it."""
    values = f"(?, {_TEXT}, {_TEXT}, ?, {_TEXT}, {Status.PROCESSED}, ?, ?, {_TEXT}, ?, ?, ?, ?, {_TEXT}, {_TEXT}, ?, ?)"
    return f"""
INSERT INTO email_requests
    (uuid, tag, topic_id, email, expires_at, status, in_doubt, claimed_at, replay_of, source, recipients_hash, content_hash,
     lane, tenant, subject, created_at, updated_at)
VALUES {", ".join([values] * rows)}
"""


# After a backup was restored: what was to be sent by now may have been.
DOUBT_WAITING = f"""
UPDATE email_requests SET status = {Status.PROCESSED}, in_doubt = 1, claimed_at = :now, updated_at = :now,
    error = 'it waited when the backup was made that was restored; it may have been sent since'
WHERE status = {Status.CREATED} AND coalesce(scheduled_at, created_at) <= :now
"""

# A row that may be tried (again): released after a failure, waiting in our keeping, in doubt for long enough, replayed.
RECLAIM = f"""
UPDATE email_requests
SET status = {Status.PROCESSED}, in_doubt = :in_doubt, claimed_at = :claimed_at, updated_at = :now, attempts = :attempts, error = NULL, finished_at = NULL,
    replay_of = coalesce(:replay_of, replay_of), recipients_hash = :recipients_hash, content_hash = :content_hash,
    lane = :lane, tenant = :tenant
WHERE id = :id
"""

# A finished uuid begins another life: the old row keeps its history under another name.
RETIRE = f"UPDATE email_requests SET uuid = {RETIRED_NAME} WHERE id = :id"

# A mail that is due later or waits for a hold, with its content in our keeping. `put_back`: what was tried before, or published
# from here, keeps its row and waits from now on.
INSERT_SCHEDULED = f"""
INSERT INTO email_requests
    (uuid, tag, topic_id, email, content_id, scheduled_at, expires_at, status, replay_of, source, revision, recipients_hash,
     content_hash, lane, tenant, subject, held_by, error, created_at, updated_at)
VALUES (:uuid, :tag, :topic_id, :email, :content_id, :scheduled_at, :expires_at, {Status.CREATED}, :replay_of, :source, :revision,
    :recipients_hash, :content_hash, :lane, :tenant, :subject, :held_by, 'held: ' || :held_by, :now, :now)
ON CONFLICT (uuid) DO UPDATE
SET scheduled_at = iif(content_id IS NULL OR :put_back, coalesce(excluded.scheduled_at, scheduled_at), scheduled_at),
    content_id = coalesce(content_id, excluded.content_id), held_by = coalesce(excluded.held_by, held_by),
    held_times = held_times + :put_back,
    -- A refill of a lost bucket counted it as claimed, but no process handles it any longer.
    in_doubt = iif(:put_back AND status = {Status.PROCESSED}, 1, in_doubt),
    published_at = iif(:put_back, NULL, published_at),
    published_sequence = iif(:put_back, 0, published_sequence),
    -- Mail that waits for its tenant's limits has come through its ramp.
    ramped_on = iif(:put_back AND coalesce(:held_by, '') NOT LIKE 'limit:%', NULL, ramped_on),
    error = coalesce(error, excluded.error), updated_at = excluded.updated_at
WHERE (content_id IS NULL AND status < {Status.SENT})
    OR (:put_back AND held_by IS NULL AND (status = {Status.CREATED} OR in_doubt = 1))
RETURNING content_id
"""

# A content that no row took: as an erased mail's, of which another copy came.
DROP_UNUSED_CONTENT = """
DELETE FROM email_contents WHERE id = :id AND NOT EXISTS (SELECT 1 FROM email_requests WHERE content_id = :id)
"""


@cache
def finish(rows: int) -> str:
    """The outcome of a claim. A row that an event settled meanwhile is left as the event says.

    A mail that was given up before its dead letter had a place is not claimed any more, and its attempts are counted.
    """
    return f"""
WITH outcome (uuid, status, attempts, in_doubt, error, message_id, finished_at, now) AS (
    VALUES {", ".join([f"(?, ?, ?, ?, {_TEXT}, {_TEXT}, {_TEXT}, ?)"] * rows)}
)
UPDATE email_requests AS mail
SET status = outcome.status, attempts = mail.attempts + iif(mail.status = {Status.PROCESSED}, outcome.attempts, 0),
    in_doubt = outcome.in_doubt, error = outcome.error, message_id = coalesce(outcome.message_id, mail.message_id),
    finished_at = outcome.finished_at, updated_at = outcome.now,
    -- The grace of a doubt counts from here: the request may have been under way for long.
    claimed_at = iif(outcome.in_doubt, outcome.now, mail.claimed_at)
FROM outcome WHERE mail.uuid = outcome.uuid AND (
    mail.status = {Status.PROCESSED} OR (mail.status = {Status.CREATED} AND mail.error LIKE '{DEAD_LETTER_PENDING}%')
)
"""


# A mail that is stopped without ever being claimed, or given up while in doubt. Another mail of the same uuid, to other
# recipients, is not stopped by it. `kept`: an erasure may have removed recipients since.
STOP = f"""
INSERT INTO email_requests
    (uuid, tag, topic_id, email, expires_at, status, error, finished_at, source, recipients_hash, content_hash, lane,
     tenant, subject, created_at, updated_at)
VALUES (:uuid, :tag, :topic_id, :email, :expires_at, {Status.STOPPED}, :error, :now, :source, :recipients_hash, :content_hash,
    :lane, :tenant, :subject, :now, :now)
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

# To which trace the mail belongs; not where the row is of another mail with the same uuid.
TRACE = """
INSERT INTO mail_traces (request_id, traceparent)
SELECT id, :traceparent FROM email_requests WHERE uuid = :uuid AND recipients_hash = :recipients_hash
ON CONFLICT (request_id) DO UPDATE SET traceparent = excluded.traceparent
"""

# Claims of a dead process, found when this one opened the database.
DOUBT_ORPHANS = f"UPDATE email_requests SET in_doubt = 1, error = 'the process ended during the attempt' WHERE status = {Status.PROCESSED} AND in_doubt = 0"

# Whether SES's message id is known already.
KNOWN_AS_SENT = f"SELECT 1 FROM email_requests WHERE message_id = ? AND status = {Status.SENT}"
