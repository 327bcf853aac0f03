"""The outbox's SQL, a comment per statement."""

from email_consumer.store.mail_state import RESULTS
from email_consumer.store.status import Status

_TYPE_BY_STATUS = f"""
CASE new.status WHEN {Status.SENT} THEN 'sent' WHEN {Status.FAILED} THEN 'failed' WHEN {Status.STOPPED} THEN 'stopped'
    WHEN {Status.PROCESSED} THEN 'in_doubt' ELSE 'scheduled' END
"""
_MAIL = f"""
INSERT INTO outbox (type, at, uuid, request_id, attempt, message_id, reason)
VALUES ({_TYPE_BY_STATUS}, new.updated_at, new.uuid, new.id, new.attempts, new.message_id, new.error)
"""
TYPES_BY_RESULT = {
    "Delivery": "delivered",
    "DeliveryDelay": "delayed",
    "Bounce": "bounced",
    "Complaint": "complained",
    "Open": "opened",
    "Click": "clicked",
    "Reject": "failed",
    "Rendering Failure": "failed",
    "Suppressed": "stopped",  # a copy that the mail went without
}
_TYPE_BY_RESULT = (
    "CASE new.status " + " ".join(f"WHEN '{status}' THEN '{kind}'" for status, kind in TYPES_BY_RESULT.items()) + " END"
)
_RESULTS = ", ".join(f"'{status}'" for status in TYPES_BY_RESULT)
_UNSUBSCRIBED = """
INSERT INTO outbox (type, at, address, scope) VALUES ('unsubscribed', new.created_at, new.address, new.scope)
"""

_HOLD = "INSERT INTO outbox (type, at, scope, reason) VALUES"

TRIGGERS = {
    # A mail that is due later, was never claimed, or is copied from a worker's outcome.
    "inserted": f"""
        AFTER INSERT ON main.email_requests
        WHEN new.status >= {Status.SENT} OR new.in_doubt OR (new.content_id IS NOT NULL AND new.scheduled_at IS NOT NULL)
        BEGIN {_MAIL}; END""",
    "moved": f"""
        AFTER UPDATE OF status, in_doubt ON main.email_requests
        WHEN (new.status <> old.status AND new.status >= {Status.SENT})
            OR (new.status = {Status.PROCESSED} AND new.in_doubt AND NOT old.in_doubt)
        BEGIN {_MAIL}; END""",
    "result": f"""
        AFTER INSERT ON main.email_results WHEN new.status IN ({_RESULTS})
        BEGIN
            INSERT INTO outbox (type, at, uuid, request_id, result_id, message_id)
            SELECT {_TYPE_BY_RESULT}, new.created_at, uuid, id, new.id, message_id
            FROM email_requests WHERE id = new.request_id;
        END""",
    "conflict": """
        AFTER INSERT ON main.email_attempts WHEN new.outcome = 'conflict'
        BEGIN
            INSERT INTO outbox (type, at, uuid, request_id, reason)
            SELECT 'conflict', new.created_at, uuid, id, new.reason FROM email_requests WHERE id = new.request_id;
        END""",
    "unsubscribed": f"""
        AFTER INSERT ON main.suppressions WHEN new.reason = 'unsubscribed' AND new.removed_at IS NULL
        BEGIN {_UNSUBSCRIBED}; END""",
    "unsubscribed_again": f"""
        AFTER UPDATE ON main.suppressions WHEN new.reason = 'unsubscribed' AND new.removed_at IS NULL
            AND (old.removed_at IS NOT NULL OR old.reason <> 'unsubscribed')
        BEGIN {_UNSUBSCRIBED}; END""",
    "held": f"AFTER INSERT ON main.holds BEGIN {_HOLD} ('held', new.since, new.key, new.reason); END",
    "resumed": f"""
        AFTER UPDATE OF ended_at ON main.holds WHEN new.ended_at IS NOT NULL AND old.ended_at IS NULL
        BEGIN {_HOLD} ('resumed', new.ended_at, new.key, new.reason); END""",
}

# What comes after an event, in order, with the mail and the recipient's result as they are now: an erasure reaches these events.
# SES's own JSON is kept with the first recipient of an event. All in one row: Python's module gives up the interpreter's lock for
# each row that it fetches, and has to wait for it again.
PENDING = f"""
SELECT json_group_array(json_array(
    seq, type, CAST(round(at * 1000000) AS INTEGER), outbox.uuid, outbox.request_id, outbox.result_id, attempt,
    outbox.message_id, reason, outbox.address, outbox.scope, mail.status, mail.error, mail.in_doubt, mail.scheduled_at,
    '' || {RESULTS}, mail.topic_id, mail.lane, mail.tenant, mail.email, mail.source,
    result.recipient, result.machine, result.detail,
    iif(type <> 'bounced' OR result.raw <> '{{}}', result.raw, (
        SELECT first.raw FROM email_results AS first
        WHERE first.request_id = result.request_id AND first.id < result.id AND first.raw <> '{{}}'
            AND first.status = result.status AND first.created_at = result.created_at
        ORDER BY first.id DESC LIMIT 1
    )),
    trace.traceparent
))
FROM (SELECT * FROM outbox WHERE seq > ? AND type <> '' ORDER BY seq LIMIT ?) AS outbox
    LEFT JOIN email_requests AS mail ON mail.id = outbox.request_id
    LEFT JOIN email_results AS result ON result.id = outbox.result_id
    LEFT JOIN mail_traces AS trace ON trace.request_id = outbox.request_id
"""

# The last published row stays: the next number is one more.
FORGET = "DELETE FROM outbox WHERE seq < ?"

MARK_PUBLISHED = "UPDATE outbox SET type = '', reason = NULL, address = NULL WHERE seq = ?"

# A file that was restored from a backup, or is new: the stream knows later numbers, which must not be given again.
CONTINUE_AFTER = """
INSERT INTO outbox (seq, type, at) SELECT :seq, '', :now
WHERE :seq > (SELECT coalesce(max(seq), 0) FROM outbox)
"""

# How many somebody who got that far has not taken yet.
WAITING = "SELECT count(*) FROM outbox WHERE seq > ? AND type <> ''"

LAST = "SELECT coalesce(max(seq), 0) FROM outbox"

# Read from the end, so it costs nothing however many wait.
LAST_WAITING = "SELECT coalesce(max(seq), 0) FROM outbox WHERE type <> ''"
