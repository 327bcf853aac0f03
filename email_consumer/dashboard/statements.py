"""The SQL of the page, a comment per statement."""

from email_consumer.store.status import Status

# Uses the partial index of mail being sent, so the cost does not grow with the table.
COUNT_IN_DOUBT = f"SELECT count(*) FROM email_requests WHERE status = {Status.PROCESSED} AND in_doubt = 1"

LAST_EVENT = "SELECT received_at FROM sns_messages ORDER BY id DESC LIMIT 1"

PAGE_OF_TOPICS = """
SELECT id, topic_id, active_at, cancelled_at FROM topics LEFT JOIN cancellations USING (topic_id)
WHERE (active_at, id) < (:active_at, :id) ORDER BY active_at DESC, id DESC LIMIT :limit
"""

STATUS_COUNTS = "SELECT topic_id, status, count FROM topic_counts WHERE topic_id IN (SELECT value FROM json_each(?))"

RESULT_COUNTS = "SELECT topic_id, kind, count FROM topic_results WHERE topic_id IN (SELECT value FROM json_each(?))"
