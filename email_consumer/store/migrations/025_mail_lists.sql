-- Lists of mail by topic and by domain, written together with `mail_addresses` (`store/mail_index.py`).
CREATE TABLE mail_topics (
    topic_id TEXT NOT NULL,
    request_id INTEGER NOT NULL,
    PRIMARY KEY (topic_id, request_id)
) WITHOUT ROWID;
CREATE TABLE mail_domains (
    domain TEXT NOT NULL,               -- of the address in normal form: all after the @ that is not in quotes
    request_id INTEGER NOT NULL,
    PRIMARY KEY (domain, request_id)
) WITHOUT ROWID;
INSERT INTO mail_topics
SELECT topic_id, id FROM email_requests
WHERE topic_id IS NOT NULL AND id <= (SELECT last_id FROM mail_addresses_progress) ORDER BY 1, 2;
INSERT INTO mail_domains
SELECT iif(address LIKE '"%', substr(address, length(rtrim(address, replace(address, '@', ''))) + 1),
        substr(address, instr(address, '@') + 1)), request_id FROM mail_addresses ORDER BY 1, 2;

CREATE TRIGGER request_delisted AFTER DELETE ON email_requests BEGIN
    DELETE FROM mail_topics WHERE topic_id = old.topic_id AND request_id = old.id;
    DELETE FROM mail_domains WHERE request_id = old.id AND domain = (
        SELECT iif(address LIKE '"%', substr(address, length(rtrim(address, replace(address, '@', ''))) + 1),
        substr(address, instr(address, '@') + 1))
        FROM (SELECT coalesce(old.address, old.email) AS address)
    );
    DELETE FROM mail_incidents WHERE request_id = old.id
        AND state IN ('bounced', 'complained', 'delayed', 'failed', 'stopped');
END;
CREATE TRIGGER request_redomained AFTER UPDATE OF email, address ON email_requests
WHEN new.id <= (SELECT last_id FROM mail_addresses_progress)
    AND coalesce(new.address, new.email) <> coalesce(old.address, old.email) BEGIN
    DELETE FROM mail_domains WHERE request_id = old.id AND domain = (
        SELECT iif(address LIKE '"%', substr(address, length(rtrim(address, replace(address, '@', ''))) + 1),
        substr(address, instr(address, '@') + 1))
        FROM (SELECT coalesce(old.address, old.email) AS address)
    );
    INSERT INTO mail_domains
    SELECT iif(address LIKE '"%', substr(address, length(rtrim(address, replace(address, '@', ''))) + 1),
        substr(address, instr(address, '@') + 1)), new.id
    FROM (SELECT coalesce(new.address, new.email) AS address) WHERE true ON CONFLICT DO NOTHING;
END;

-- Mail that something happened to which leads to one of the rarer states, noted as it happens. Whether the mail is in that
-- state now is for the mail itself to tell: a failed mail may be replayed, a delayed one delivered.
CREATE TABLE mail_incidents (
    state TEXT NOT NULL,                -- bounced, complained, delayed, failed, stopped
    request_id INTEGER NOT NULL,
    topic_id TEXT,
    PRIMARY KEY (state, request_id)
) WITHOUT ROWID;
CREATE INDEX mail_incidents_of_topic ON mail_incidents (topic_id, state, request_id) WHERE topic_id IS NOT NULL;

INSERT INTO mail_incidents
SELECT iif(status = 3, 'failed', 'stopped'), id, topic_id FROM email_requests WHERE status IN (3, 4);
INSERT OR IGNORE INTO mail_incidents
SELECT CASE result.status
        WHEN 'Bounce' THEN 'bounced' WHEN 'Complaint' THEN 'complained' WHEN 'DeliveryDelay' THEN 'delayed' ELSE 'failed'
    END, mail.id, mail.topic_id
FROM email_results AS result JOIN email_requests AS mail ON mail.id = result.request_id
WHERE result.status IN ('Bounce', 'Complaint', 'DeliveryDelay', 'Reject', 'Rendering Failure');

CREATE TRIGGER request_inserted_ended AFTER INSERT ON email_requests WHEN new.status IN (3, 4) BEGIN
    INSERT INTO mail_incidents VALUES (iif(new.status = 3, 'failed', 'stopped'), new.id, new.topic_id)
        ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER request_ended AFTER UPDATE OF status ON email_requests
WHEN new.status IN (3, 4) AND old.status <> new.status BEGIN
    INSERT INTO mail_incidents VALUES (iif(new.status = 3, 'failed', 'stopped'), new.id, new.topic_id)
        ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER result_noted AFTER INSERT ON email_results
WHEN new.status IN ('Bounce', 'Complaint', 'DeliveryDelay', 'Reject', 'Rendering Failure') BEGIN
    INSERT INTO mail_incidents
    SELECT CASE new.status
            WHEN 'Bounce' THEN 'bounced' WHEN 'Complaint' THEN 'complained' WHEN 'DeliveryDelay' THEN 'delayed' ELSE 'failed'
        END, id, topic_id
    FROM email_requests WHERE id = new.request_id ON CONFLICT DO NOTHING;
END;
