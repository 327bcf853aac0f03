-- Holds: mail under these keys waits. Ended ones are kept as a record.
CREATE TABLE holds (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,                  -- account, lane:bulk, tenant:<name>, topic:<id>
    reason TEXT NOT NULL,
    holder TEXT NOT NULL,               -- who placed it: breaker, canary, operator, ses
    since REAL NOT NULL,                -- times are Unix seconds
    until REAL,                         -- NULL: until somebody ends it
    transactional INTEGER NOT NULL,     -- 1: transactional mail waits, too
    ended_at REAL,                      -- NULL: active
    ended_by TEXT                       -- operator, breaker, canary, ses, time
);
CREATE UNIQUE INDEX holds_active ON holds (key, holder) WHERE ended_at IS NULL;

-- The hold that a stored mail waits for, and how often it was put back: each time it is published under another message id.
ALTER TABLE email_requests ADD COLUMN held_by TEXT;
ALTER TABLE email_requests ADD COLUMN held_times INTEGER NOT NULL DEFAULT 0;
CREATE INDEX email_requests_held ON email_requests (held_by, id)
    WHERE held_by IS NOT NULL AND (status = 0 OR in_doubt = 1);
-- A million held mails must not be in the way of what is due.
DROP INDEX email_requests_due;
CREATE INDEX email_requests_due ON email_requests (lane IS 'transactional', coalesce(scheduled_at, created_at), id)
    WHERE (status = 0 OR in_doubt = 1) AND published_at IS NULL AND content_id IS NOT NULL AND held_by IS NULL;
