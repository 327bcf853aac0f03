-- What was sent and what became of it, by what can be held, so that a restart forgets nothing.
CREATE TABLE reputation (
    key TEXT PRIMARY KEY,               -- as in holds
    cohorts TEXT NOT NULL,              -- JSON: [first sent at, sent, bounced, complained] of mails sent one after another
    resumed_at REAL,                    -- what was sent before does not count
    updated_at REAL NOT NULL
) WITHOUT ROWID;
-- Topics whose first mails were sent as a canary.
CREATE TABLE canaries (
    topic_id TEXT PRIMARY KEY,
    since REAL NOT NULL
) WITHOUT ROWID;
