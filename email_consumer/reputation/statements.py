"""The SQL of the reputation, a comment per statement."""

LOAD = "SELECT key, cohorts, resumed_at FROM reputation WHERE updated_at > ? ORDER BY updated_at"

SAVE = """
INSERT INTO reputation (key, cohorts, resumed_at, updated_at) VALUES (:key, :cohorts, :resumed_at, :now)
ON CONFLICT (key) DO UPDATE
SET cohorts = excluded.cohorts, resumed_at = excluded.resumed_at, updated_at = excluded.updated_at
"""

# Older than the longest window.
FORGET = "DELETE FROM reputation WHERE updated_at < ?"

CANARIES = "SELECT topic_id FROM canaries"

BEGIN_CANARY = "INSERT OR IGNORE INTO canaries (topic_id, since) VALUES (?, ?)"
