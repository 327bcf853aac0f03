-- What recipients' servers and recipients answered: one row an event and recipient.
CREATE TABLE email_results (
    id INTEGER PRIMARY KEY,
    request_id INTEGER NOT NULL REFERENCES email_requests (id) ON DELETE CASCADE,
    status TEXT NOT NULL,               -- Delivery, Bounce, Complaint, Open, Click, … as SES names them
    recipient TEXT NOT NULL DEFAULT '', -- bare address in lower case
    machine INTEGER NOT NULL DEFAULT 0, -- 1: opened or clicked by a program, as far as can be told
    raw TEXT NOT NULL DEFAULT '{}',     -- JSON, without IP addresses
    created_at REAL NOT NULL            -- when it happened, Unix seconds
);
CREATE INDEX email_results_request ON email_results (request_id);

-- Who of a topic's recipients has done what, and how many: kept on insertion, so that reading costs the same whatever
-- the topic's size. Machine opens and clicks are counted under a name of their own, such as MachineOpen.
CREATE TABLE topic_recipients (
    topic_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    PRIMARY KEY (topic_id, kind, recipient)
) WITHOUT ROWID;
CREATE TABLE topic_results (
    topic_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (topic_id, kind)
) WITHOUT ROWID;
CREATE TRIGGER result_inserted AFTER INSERT ON email_results BEGIN
    INSERT INTO topic_recipients
        SELECT topic_id, iif(new.machine, 'Machine', '') || new.status, new.recipient
        FROM email_requests WHERE id = new.request_id AND topic_id IS NOT NULL
        ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER topic_recipient_inserted AFTER INSERT ON topic_recipients BEGIN
    INSERT INTO topic_results VALUES (new.topic_id, new.kind, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER topic_recipient_deleted AFTER DELETE ON topic_recipients BEGIN
    UPDATE topic_results SET count = count - 1 WHERE topic_id = old.topic_id AND kind = old.kind;
END;

-- Answers already given to an Idempotency-Key.
CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    hash BLOB NOT NULL,                 -- SHA-256 of the request's body
    answer TEXT NOT NULL,
    created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What is to be published: first come, first served, whether it was due at once or later. What a crash left in doubt
-- before its publishing was noted is published again: the ledger decides.
DROP INDEX email_requests_due;
CREATE INDEX email_requests_due ON email_requests (coalesce(scheduled_at, created_at), id)
    WHERE (status = 0 OR in_doubt = 1) AND published_at IS NULL AND content_id IS NOT NULL;
-- What we published and nothing became of yet.
CREATE INDEX email_requests_published ON email_requests (id)
    WHERE status < 2 AND published_at IS NOT NULL;
