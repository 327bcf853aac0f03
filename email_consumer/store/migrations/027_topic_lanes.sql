-- How much of a topic is transactional; what is not is bulk mail, which therefore costs nothing here.
CREATE TABLE topic_transactional_counts (
    topic_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (topic_id, status)
) WITHOUT ROWID;
INSERT INTO topic_transactional_counts
    SELECT topic_id, status, count(*) FROM email_requests
    WHERE lane = 'transactional' AND topic_id IS NOT NULL GROUP BY topic_id, status;

CREATE TRIGGER request_inserted_lane AFTER INSERT ON email_requests
WHEN new.lane = 'transactional' AND new.topic_id IS NOT NULL BEGIN
    INSERT INTO topic_transactional_counts VALUES (new.topic_id, new.status, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER request_moved_from_lane AFTER UPDATE OF status, lane ON email_requests
WHEN old.lane = 'transactional' AND old.topic_id IS NOT NULL BEGIN
    UPDATE topic_transactional_counts SET count = count - 1 WHERE topic_id = old.topic_id AND status = old.status;
END;
CREATE TRIGGER request_moved_to_lane AFTER UPDATE OF status, lane ON email_requests
WHEN new.lane = 'transactional' AND new.topic_id IS NOT NULL BEGIN
    INSERT INTO topic_transactional_counts VALUES (new.topic_id, new.status, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER request_deleted_lane AFTER DELETE ON email_requests
WHEN old.lane = 'transactional' AND old.topic_id IS NOT NULL BEGIN
    UPDATE topic_transactional_counts SET count = count - 1 WHERE topic_id = old.topic_id AND status = old.status;
END;
-- Retention takes these away together with the sums of the topic.
CREATE TRIGGER topic_count_deleted_lane AFTER DELETE ON topic_counts
WHEN NOT EXISTS (SELECT 1 FROM topic_counts WHERE topic_id = old.topic_id) BEGIN
    DELETE FROM topic_transactional_counts WHERE topic_id = old.topic_id;
END;
