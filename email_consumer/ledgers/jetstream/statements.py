"""The projection's SQL, a comment per statement."""

from email_consumer.ledgers.statements import LEFT_OUT, REMARK, TRACE
from email_consumer.store.retired import RETIRED_NAME
from email_consumer.store.status import Status

__all__ = [
    "DISPLACE",
    "FAIL_CONFLICTING",
    "LEFT_OUT",
    "REMARK",
    "REMARK_CONFLICT",
    "RETIRE_ENDED",
    "RETIRE_FORMER",
    "RETIRE_OPEN",
    "SHOW",
    "SHOWN",
    "TRACE",
]

# What the rows of some uuids, given as a JSON array, show at present.
SHOWN = (
    "SELECT uuid, status, revision, recipients_hash FROM email_requests WHERE uuid IN (SELECT value FROM json_each(?))"
)

# A mail of this uuid that ended before the uuid's present life began keeps its history under another name.
RETIRE_FORMER = f"""
UPDATE email_requests SET uuid = {RETIRED_NAME}
WHERE uuid = :uuid AND status >= {Status.SENT} AND revision > 0 AND revision < :life
"""

# The same, whatever the tables show of it.
RETIRE_OPEN = f"""
UPDATE email_requests SET uuid = {RETIRED_NAME} WHERE uuid = :uuid AND revision > 0 AND revision < :life
"""

# The same for a mail that is due later, of whose uuid its worker found nothing in the bucket: the idempotency window of what
# ended long enough before this one was stored is over.
RETIRE_ENDED = f"""
UPDATE email_requests SET uuid = {RETIRED_NAME} WHERE uuid = :uuid AND status >= {Status.SENT} AND finished_at < :ended_before
"""

# A mail in our keeping whose uuid another mail took before it was published: the scheduler finds it under the other name.
DISPLACE = f"""
UPDATE email_requests SET uuid = {RETIRED_NAME}
WHERE uuid = :uuid AND content_id IS NOT NULL AND recipients_hash <> :recipients_hash
"""

# The mail's new state, whether the row was created by this statement, the API or the schedule.
SHOW = """
INSERT INTO email_requests
    (uuid, tag, topic_id, email, expires_at, status, error, attempts, in_doubt, message_id, claimed_at, finished_at,
     replay_of, source, revision, recipients_hash, content_hash, lane, tenant, subject, created_at, updated_at)
VALUES (:uuid, :tag, :topic_id, :email, :expires_at, :status, :error, :attempts, :in_doubt, :message_id, :claimed_at,
     :finished_at, :replay_of, :source, :revision, :recipients_hash, :content_hash, :lane, :tenant, :subject, coalesce(:claimed_at, :now), :now)
ON CONFLICT (uuid) DO UPDATE
SET status = excluded.status, error = excluded.error, attempts = excluded.attempts, in_doubt = excluded.in_doubt,
    message_id = coalesce(excluded.message_id, message_id), claimed_at = coalesce(excluded.claimed_at, claimed_at),
    finished_at = excluded.finished_at, replay_of = excluded.replay_of, revision = excluded.revision,
    recipients_hash = coalesce(excluded.recipients_hash, recipients_hash), content_hash = excluded.content_hash,
    lane = coalesce(excluded.lane, lane), tenant = coalesce(excluded.tenant, tenant), updated_at = excluded.updated_at
"""

# A mail from our keeping that found its uuid taken: its row, by whichever name, ends as its dead letter says.
FAIL_CONFLICTING = f"""
UPDATE email_requests SET status = {Status.FAILED}, error = :conflict, finished_at = :now, updated_at = :now
WHERE (uuid = :uuid OR (uuid > :uuid || char(0) AND uuid < :uuid || char(1)))
  AND content_id IS NOT NULL AND status = {Status.CREATED} AND recipients_hash = :recipients_hash
"""

# The history of the mail that the uuid stands for. A redelivery adds nothing.
REMARK_CONFLICT = """
INSERT INTO email_attempts (request_id, outcome, reason, created_at)
SELECT id, 'conflict', :conflict, :now FROM email_requests WHERE uuid = :uuid
AND NOT EXISTS (SELECT 1 FROM email_attempts WHERE request_id = email_requests.id AND created_at = :now)
"""

# Mail of the API that no worker had has no record: it is claimed like any other once it is published.
KNOWN_MAILS = f"""
SELECT id, uuid, tag, status, attempts, in_doubt, claimed_at, finished_at, scheduled_at, message_id, error, replay_of,
    revision, recipients_hash, content_hash, held_by IS NOT NULL AS held
FROM email_requests
WHERE id > :after AND (status < {Status.SENT} OR finished_at > :ended_after) AND instr(uuid, char(0)) = 0
    AND NOT (status = {Status.CREATED} AND source = 'api' AND revision = 0)
ORDER BY id LIMIT :most
"""

HIGHEST_REVISION = "SELECT coalesce(max(revision), 0) FROM email_requests"
