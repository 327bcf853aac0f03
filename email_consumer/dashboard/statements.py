"""The SQL of the page, a comment per statement."""

from email_consumer.store.status import Status

# Reads one page of the index, which holds the ids of an address in order, and as many of the latest mails, which are not in
# it yet.
MAILS_TO = """
SELECT * FROM (
    SELECT mail.* FROM mail_addresses AS entry JOIN email_requests AS mail ON mail.id = entry.request_id
    WHERE entry.address = :address AND entry.request_id < :before ORDER BY entry.request_id DESC LIMIT :limit
)
UNION ALL SELECT * FROM (
    SELECT * FROM email_requests
    WHERE id > (SELECT last_id FROM mail_addresses_progress) AND id < :before AND coalesce(address, email) = :address
    ORDER BY id DESC LIMIT :limit
)
"""

# Uses the partial index of mail being sent, so the cost does not grow with the table.
COUNT_IN_DOUBT = f"SELECT count(*) FROM email_requests WHERE status = {Status.PROCESSED} AND in_doubt = 1"

LAST_EVENT = "SELECT received_at FROM sns_messages ORDER BY id DESC LIMIT 1"

PAGE_OF_TOPICS = """
SELECT id, topic_id, active_at, cancelled_at FROM topics LEFT JOIN cancellations USING (topic_id)
WHERE (active_at, id) < (:active_at, :id) ORDER BY active_at DESC, id DESC LIMIT :limit
"""

STATUS_COUNTS = "SELECT topic_id, status, count FROM topic_counts WHERE topic_id IN (SELECT value FROM json_each(?))"

RESULT_COUNTS = "SELECT topic_id, kind, count FROM topic_results WHERE topic_id IN (SELECT value FROM json_each(?))"
