-- Subject and content once per distinct content; only mail that waits in our own keeping needs them.
CREATE TABLE email_contents (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,          -- SHA-256 over all that follows
    subject TEXT NOT NULL,
    content TEXT NOT NULL,              -- the HTML body
    extra TEXT,                         -- JSON: the message's further fields, such as text, headers, attachments
    created_at REAL NOT NULL            -- times are Unix seconds: datetime(created_at, 'unixepoch') reads well
);

-- One row a mail. The row is the claim and the status at once: one truth.
CREATE TABLE email_requests (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,          -- the idempotency key
    tag TEXT,                           -- how SES's events name the uuid, only where that differs
    topic_id TEXT,
    message_id TEXT,                    -- SES's
    email TEXT NOT NULL,
    content_id INTEGER REFERENCES email_contents (id),
    scheduled_at REAL,
    expires_at REAL,
    published_at REAL,                  -- when the stream took it over; only mail with a content_id is published by us
    status INTEGER NOT NULL,            -- 0 Created, 1 Processed (in hand or in doubt), 2 Sent, 3 Failed, 4 Stopped
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0,-- 1: claimed, and nobody knows what became of the attempt
    claimed_at REAL,
    finished_at REAL,                   -- when status became 2, 3 or 4: the idempotency window counts from here
    replay_of TEXT,                     -- the dead letter whose replay last reopened this row
    source TEXT NOT NULL,               -- api, nats or sqs
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
);
CREATE INDEX email_requests_email ON email_requests (email);
CREATE INDEX email_requests_tag ON email_requests (tag) WHERE tag IS NOT NULL;
CREATE INDEX email_requests_message_id ON email_requests (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX email_requests_in_hand ON email_requests (id) WHERE status = 1;
CREATE INDEX email_requests_due ON email_requests (coalesce(scheduled_at, 0), id)
    WHERE status = 0 AND published_at IS NULL AND content_id IS NOT NULL;
-- What a cancellation stops. Mail that is claimed at once never enters it.
CREATE INDEX email_requests_created_of_topic ON email_requests (topic_id) WHERE topic_id IS NOT NULL AND status = 0;
CREATE INDEX email_requests_content ON email_requests (content_id) WHERE content_id IS NOT NULL;

-- What went wrong on the way; a first attempt that succeeded leaves nothing here.
CREATE TABLE email_attempts (
    id INTEGER PRIMARY KEY,
    request_id INTEGER NOT NULL REFERENCES email_requests (id) ON DELETE CASCADE,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX email_attempts_request ON email_attempts (request_id);

-- Sums kept by triggers, so that a topic's statistics cost the same whatever its size.
CREATE TABLE topic_counts (
    topic_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (topic_id, status)
) WITHOUT ROWID;
CREATE TABLE sent_minutes (
    minute INTEGER PRIMARY KEY,         -- Unix time / 60
    count INTEGER NOT NULL
);

CREATE TRIGGER request_inserted AFTER INSERT ON email_requests WHEN new.topic_id IS NOT NULL BEGIN
    INSERT INTO topic_counts VALUES (new.topic_id, new.status, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER request_moved AFTER UPDATE OF status ON email_requests
WHEN new.topic_id IS NOT NULL AND new.status <> old.status BEGIN
    UPDATE topic_counts SET count = count - 1 WHERE topic_id = old.topic_id AND status = old.status;
    INSERT INTO topic_counts VALUES (new.topic_id, new.status, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER request_deleted AFTER DELETE ON email_requests WHEN old.topic_id IS NOT NULL BEGIN
    UPDATE topic_counts SET count = count - 1 WHERE topic_id = old.topic_id AND status = old.status;
END;
CREATE TRIGGER request_sent AFTER UPDATE OF status ON email_requests
WHEN new.status = 2 AND old.status <> 2 BEGIN
    INSERT INTO sent_minutes VALUES (CAST(new.finished_at AS INTEGER) / 60, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;

-- A topic's cancellation covers what was stored up to its place in the stream.
CREATE TABLE cancellations (
    topic_id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,          -- the stream's last sequence at that moment
    cancelled_at REAL NOT NULL,
    cancelled INTEGER NOT NULL DEFAULT 0 -- mails stopped by it so far
) WITHOUT ROWID;
CREATE TRIGGER request_cancelled AFTER UPDATE OF status ON email_requests
WHEN new.status = 4 AND old.status <> 4 AND new.error = 'cancelled' BEGIN
    UPDATE cancellations SET cancelled = cancelled + 1 WHERE topic_id = new.topic_id;
END;
CREATE TRIGGER request_inserted_cancelled AFTER INSERT ON email_requests
WHEN new.status = 4 AND new.error = 'cancelled' BEGIN
    UPDATE cancellations SET cancelled = cancelled + 1 WHERE topic_id = new.topic_id;
END;

CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
