-- All topics, for lists: noted when mail comes, but at most once a minute and topic, since many mails come.
CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    topic_id TEXT NOT NULL UNIQUE,
    active_at REAL NOT NULL             -- when mail came last, to the minute
);
CREATE INDEX topics_active ON topics (active_at);
INSERT INTO topics (topic_id, active_at)
    SELECT topic_id, max(created_at) FROM email_requests WHERE topic_id IS NOT NULL GROUP BY topic_id;
CREATE TRIGGER request_inserted_active AFTER INSERT ON email_requests WHEN new.topic_id IS NOT NULL BEGIN
    INSERT INTO topics (topic_id, active_at) VALUES (new.topic_id, new.created_at)
        ON CONFLICT (topic_id) DO UPDATE SET active_at = excluded.active_at
        WHERE excluded.active_at >= topics.active_at + 60;
END;
-- Retention takes the sums of a topic away when its last mail is gone.
CREATE TRIGGER topic_count_deleted AFTER DELETE ON topic_counts
WHEN NOT EXISTS (SELECT 1 FROM topic_counts WHERE topic_id = old.topic_id) BEGIN
    DELETE FROM topics WHERE topic_id = old.topic_id;
END;

-- Finds by its bare address, in lower case, what was written otherwise, as Name <Address>. Nearly all mail is found by
-- the index of `email` alone, and costs nothing here.
CREATE INDEX email_requests_bare_address ON email_requests (
    lower(trim(substr(email, length(rtrim(email, replace(email, '<', ''))) + 1), '> '))
) WHERE instr(email, '<') OR email <> lower(email);
