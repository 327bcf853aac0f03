-- When the mail of a topic was sent: how fast it goes out, and since when.
CREATE TABLE topic_minutes (
    topic_id TEXT NOT NULL,
    minute INTEGER NOT NULL,            -- Unix time / 60
    count INTEGER NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    PRIMARY KEY (topic_id, minute)
) WITHOUT ROWID;
INSERT INTO topic_minutes
    SELECT topic_id, CAST(coalesce(finished_at, updated_at) AS INTEGER) / 60, count(*),
        min(coalesce(finished_at, updated_at)), max(coalesce(finished_at, updated_at))
    FROM email_requests WHERE status = 2 AND topic_id IS NOT NULL GROUP BY 1, 2;

CREATE TRIGGER request_inserted_sent_of_topic AFTER INSERT ON email_requests
WHEN new.status = 2 AND new.topic_id IS NOT NULL BEGIN
    INSERT INTO topic_minutes VALUES (
        new.topic_id, CAST(coalesce(new.finished_at, new.updated_at) AS INTEGER) / 60, 1,
        coalesce(new.finished_at, new.updated_at), coalesce(new.finished_at, new.updated_at)
    ) ON CONFLICT DO UPDATE
    SET count = count + 1, first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
END;
CREATE TRIGGER request_sent_of_topic AFTER UPDATE OF status ON email_requests
WHEN new.status = 2 AND old.status <> 2 AND new.topic_id IS NOT NULL BEGIN
    INSERT INTO topic_minutes VALUES (
        new.topic_id, CAST(coalesce(new.finished_at, new.updated_at) AS INTEGER) / 60, 1,
        coalesce(new.finished_at, new.updated_at), coalesce(new.finished_at, new.updated_at)
    ) ON CONFLICT DO UPDATE
    SET count = count + 1, first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
END;

-- Who unsubscribes does it by a link in a mail, most likely in the latest bulk mail to the address: it counts for that topic,
-- like SES's results, once for each recipient.
CREATE TRIGGER unsubscribed_by_topic AFTER INSERT ON suppressions
WHEN new.reason = 'unsubscribed' AND new.removed_at IS NULL BEGIN
    INSERT INTO topic_recipients SELECT topic_id, 'Unsubscribed', new.address FROM email_requests
    WHERE id = (SELECT max(id) FROM (
        SELECT max(mail.id) AS id FROM mail_addresses JOIN email_requests AS mail ON mail.id = request_id
        WHERE mail_addresses.address = new.address AND mail.topic_id IS NOT NULL AND mail.lane IS NOT 'transactional'
        UNION ALL SELECT max(id) FROM email_requests
        WHERE id > (SELECT last_id FROM mail_addresses_progress) AND coalesce(address, email) = new.address
            AND topic_id IS NOT NULL AND lane IS NOT 'transactional'
    )) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER unsubscribed_again_by_topic AFTER UPDATE ON suppressions
WHEN new.reason = 'unsubscribed' AND new.removed_at IS NULL AND old.removed_at IS NOT NULL BEGIN
    INSERT INTO topic_recipients SELECT topic_id, 'Unsubscribed', new.address FROM email_requests
    WHERE id = (SELECT max(id) FROM (
        SELECT max(mail.id) AS id FROM mail_addresses JOIN email_requests AS mail ON mail.id = request_id
        WHERE mail_addresses.address = new.address AND mail.topic_id IS NOT NULL AND mail.lane IS NOT 'transactional'
        UNION ALL SELECT max(id) FROM email_requests
        WHERE id > (SELECT last_id FROM mail_addresses_progress) AND coalesce(address, email) = new.address
            AND topic_id IS NOT NULL AND lane IS NOT 'transactional'
    )) ON CONFLICT DO NOTHING;
END;

-- Retention takes these away together with the sums of the topic.
CREATE TRIGGER topic_count_deleted_progress AFTER DELETE ON topic_counts
WHEN NOT EXISTS (SELECT 1 FROM topic_counts WHERE topic_id = old.topic_id) BEGIN
    DELETE FROM topic_minutes WHERE topic_id = old.topic_id;
    DELETE FROM topic_recipients WHERE topic_id = old.topic_id AND kind = 'Unsubscribed';
    DELETE FROM topic_results WHERE topic_id = old.topic_id AND count = 0;
END;
