"""The projection's SQL, a comment per statement."""

from email_consumer.ledger.statements import LEFT_OUT, REMARK
from email_consumer.store.retired import RETIRED_NAME

__all__ = ["LEFT_OUT", "REMARK", "RETIRE_ENDED", "RETIRE_FORMER", "SHOW", "SHOWN"]

# What the rows of some uuids, given as a JSON array, show at present.
SHOWN = "SELECT uuid, status, revision FROM email_requests WHERE uuid IN (SELECT value FROM json_each(?))"

# A mail of this uuid that ended before the uuid's present life began keeps its history under another name.
RETIRE_FORMER = f"""
UPDATE email_requests SET uuid = {RETIRED_NAME}
WHERE uuid = :uuid AND status >= 2 AND revision > 0 AND revision < :life
"""  # noqa: S608 - a constant

# The same for a mail that is due later: its worker found nothing of the uuid in the bucket, so the idempotency window of
# what ended long enough before this one was stored is over.
RETIRE_ENDED = f"""
UPDATE email_requests SET uuid = {RETIRED_NAME} WHERE uuid = :uuid AND status >= 2 AND finished_at < :ended_before
"""  # noqa: S608 - a constant

# The mail's new state; whoever made the row (we, the API, the schedule), it goes on.
SHOW = """
INSERT INTO email_requests
    (uuid, tag, topic_id, email, expires_at, status, error, attempts, in_doubt, message_id, claimed_at, finished_at,
     replay_of, source, revision, created_at, updated_at)
VALUES (:uuid, :tag, :topic_id, :email, :expires_at, :status, :error, :attempts, :in_doubt, :message_id, :claimed_at,
     :finished_at, :replay_of, :source, :revision, coalesce(:claimed_at, :now), :now)
ON CONFLICT (uuid) DO UPDATE
SET status = excluded.status, error = excluded.error, attempts = excluded.attempts, in_doubt = excluded.in_doubt,
    message_id = coalesce(excluded.message_id, message_id), claimed_at = coalesce(excluded.claimed_at, claimed_at),
    finished_at = excluded.finished_at, replay_of = excluded.replay_of, revision = excluded.revision,
    updated_at = excluded.updated_at
"""
