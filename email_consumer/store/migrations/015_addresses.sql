-- Addresses are compared in their normal form (`email_consumer/address.py`; the function is the program's own). A mail's
-- recipient stays as its publisher wrote it, and is repeated in normal form only where that differs: coalesce(address,
-- email). The condition finds what may differ without asking the function; most addresses it spares.
ALTER TABLE email_requests ADD COLUMN address TEXT;
UPDATE email_requests SET address = nullif(normal_form(email), email) WHERE email GLOB '*[^-a-z0-9.@_+]*';
CREATE INDEX email_requests_address ON email_requests (address) WHERE address IS NOT NULL;
DROP INDEX email_requests_bare_address;

UPDATE email_results SET recipient = normal_form(recipient) WHERE recipient GLOB '*[^-a-z0-9.@_+]*';
INSERT OR IGNORE INTO topic_recipients
    SELECT topic_id, kind, normal_form(recipient) FROM topic_recipients WHERE recipient GLOB '*[^-a-z0-9.@_+]*';
DELETE FROM topic_recipients WHERE recipient GLOB '*[^-a-z0-9.@_+]*' AND recipient <> normal_form(recipient);

-- Of two spellings the one that stops mail remains; one that was taken off the list later than it came stays off it.
INSERT INTO suppressions
    SELECT normal_form(address), reason, detail, source, created_at, removed_at, mirror FROM suppressions
    WHERE address GLOB '*[^-a-z0-9.@_+]*' AND address <> normal_form(address)
ON CONFLICT (address) DO UPDATE
SET reason = excluded.reason, detail = excluded.detail, source = excluded.source, created_at = excluded.created_at,
    removed_at = excluded.removed_at, mirror = excluded.mirror
WHERE removed_at < excluded.created_at AND excluded.removed_at IS NULL;
DELETE FROM suppressions WHERE address GLOB '*[^-a-z0-9.@_+]*' AND address <> normal_form(address);
