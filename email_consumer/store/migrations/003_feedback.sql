-- What the event says of the recipient in short: Permanent/General, abuse, Transient/MailboxFull, ….
ALTER TABLE email_results ADD COLUMN detail TEXT NOT NULL DEFAULT '';
-- One address's history.
CREATE INDEX email_results_recipient ON email_results (recipient, status, created_at);

-- The messages of SNS that were applied already. Rows are in the order of arrival, and the oldest are pruned.
CREATE TABLE sns_messages (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    received_at REAL NOT NULL
);

-- Events whose mail isn't known (yet).
CREATE TABLE unmatched_events (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,           -- SES's id of the mail
    tag TEXT,                           -- our name for the mail, where SES tells it
    received_at REAL NOT NULL,
    raw TEXT NOT NULL                   -- JSON, without IP addresses
);
CREATE INDEX unmatched_events_mail ON unmatched_events (message_id, tag);

-- Addresses that get no more mail.
CREATE TABLE suppressions (
    address TEXT PRIMARY KEY,           -- bare, in lower case
    reason TEXT NOT NULL,               -- complaint, hard bounce, unsubscribed, manual, soft bounces
    detail TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL,               -- event, recipient, api
    created_at REAL NOT NULL,           -- when it happened
    removed_at REAL,                    -- since then mail passes again, and what happened before doesn't count
    mirror TEXT                         -- put or delete: still to be done to SES's account-level list
) WITHOUT ROWID;
CREATE INDEX suppressions_to_mirror ON suppressions (address) WHERE mirror IS NOT NULL;
