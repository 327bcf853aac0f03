"""The webhooks' SQL, a comment per statement."""

_ENDPOINT = "id, url, types, topics, lane, format, secret, former_secret, former_until, created_at, failing_since, disabled_at, disabled_reason"

ENDPOINTS = f"SELECT {_ENDPOINT} FROM webhook_endpoints ORDER BY created_at, id"

ADD_ENDPOINT = """
INSERT INTO webhook_endpoints (id, url, types, topics, lane, format, secret, created_at)
VALUES (:id, :url, :types, :topics, :lane, :format, :secret, :created_at)
"""

# What is left of its deliveries goes with it.
REMOVE_ENDPOINT = "DELETE FROM webhook_endpoints WHERE id = :id"

DELETE_DELIVERIES = """
DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE endpoint_id = :id LIMIT 1000)
"""

ROTATE = """
UPDATE webhook_endpoints SET former_secret = secret, former_until = :until, secret = :secret WHERE id = :id
"""

FAILS = "UPDATE webhook_endpoints SET failing_since = :now WHERE id = :id AND failing_since IS NULL"

WORKS = "UPDATE webhook_endpoints SET failing_since = NULL WHERE id = :id"

DISABLE = (
    "UPDATE webhook_endpoints SET disabled_at = :now, disabled_reason = :reason WHERE id = :id AND disabled_at IS NULL"
)

ENABLE = "UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL WHERE id = :id"

ADD_DELIVERY = """
INSERT INTO webhook_deliveries (endpoint_id, event_id, type, body, traceparent, next_at, created_at)
SELECT :endpoint, :event, :type, :body, :traceparent, :now, :now WHERE EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = :endpoint)
"""

# What Resend's form of an event says of its mail. The content is kept for a while, and not of all mail.
MAILS = """
SELECT mail.id, mail.created_at, coalesce(content.subject, mail.subject) AS subject, content.id IS NOT NULL AS kept, content.extra
FROM email_requests AS mail LEFT JOIN email_contents AS content ON content.id = mail.content_id
WHERE mail.id IN (SELECT value FROM json_each(:ids))
"""

# What is due, the longest waiting first; `excluded`: ids in memory.
DUE = """
SELECT id, event_id, body, traceparent, attempts FROM webhook_deliveries
WHERE endpoint_id = :endpoint AND next_at <= :now AND id NOT IN (SELECT value FROM json_each(:excluded))
ORDER BY next_at, id LIMIT :limit
"""

NEXT_DUE = "SELECT min(next_at) FROM webhook_deliveries WHERE endpoint_id = ? AND next_at > ?"

# Not if it was made due again during the attempt: then it counts its attempts from the first on. Nor if it was deleted
# meanwhile: SQLite gives the id of the newest row that is gone to the next one.
SETTLE = """
UPDATE webhook_deliveries SET attempts = attempts + 1, next_at = :next_at, delivered_at = :delivered_at, error = :error
WHERE id = :id AND endpoint_id = :endpoint_id AND event_id = :event_id AND attempts = :attempts
"""

DELIVERIES = """
SELECT id, event_id, type, body, attempts, next_at, delivered_at, error, created_at FROM webhook_deliveries
WHERE endpoint_id = :endpoint AND id < :before
    AND (:state IS NULL OR :state = iif(delivered_at IS NOT NULL, 'delivered', iif(next_at IS NULL, 'failed', 'waiting')))
ORDER BY id DESC LIMIT :limit
"""

# Some of an endpoint's deliveries, and which of them are to be sent again.
TO_RESEND = """
SELECT id, created_at >= :since AND (:delivered OR delivered_at IS NULL) AS wanted FROM webhook_deliveries
WHERE endpoint_id = :endpoint AND id > :after AND id >= coalesce(:delivery, 0) AND id <= coalesce(:delivery, id)
ORDER BY id LIMIT 1000
"""

# Attempted again, from the first interval on. An erased delivery's id may have become one of another endpoint.
RESEND = """
UPDATE webhook_deliveries SET next_at = :now, attempts = 0, delivered_at = NULL, error = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND endpoint_id = :endpoint
"""

WAITING = (
    "SELECT endpoint_id, count(*) AS waiting FROM webhook_deliveries WHERE next_at IS NOT NULL GROUP BY endpoint_id"
)
