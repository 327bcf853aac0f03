"""The SQL of ramps, a comment per statement."""

from email_consumer.holds.statements import WAITS

# How many recipients a domain's ramp has let go on a day.
RELEASED = "SELECT recipients FROM ramp_days WHERE domain = ? AND day = ?"

# What waits for a ramp, or for limits, the oldest first. SES counts copies as recipients, too.
WAITING = f"""
SELECT mail.id, mail.topic_id, 1 + coalesce(json_array_length(content.extra, '$.cc'), 0)
    + coalesce(json_array_length(content.extra, '$.bcc'), 0) AS recipients
FROM email_requests AS mail LEFT JOIN email_contents AS content ON content.id = mail.content_id
WHERE {WAITS} AND held_by = :key ORDER BY mail.id LIMIT :limit
"""

RELEASE = """
UPDATE email_requests SET held_by = NULL, ramped_on = :day, updated_at = :now, error = iif(error LIKE 'held: %', NULL, error)
WHERE id = :id
"""

COUNT = """
INSERT INTO ramp_days (domain, day, recipients) VALUES (:domain, :day, :recipients)
ON CONFLICT (domain, day) DO UPDATE SET recipients = recipients + excluded.recipients
"""
