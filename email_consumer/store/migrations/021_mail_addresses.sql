-- Finds mail by its address, in normal form. An index of `email_requests` would be written with each claim, at a random
-- place in a large file; this table is written later, many mails at a time (`store/mail_index.py`).
CREATE TABLE mail_addresses (
    address TEXT NOT NULL,              -- coalesce(address, email) of the mail
    request_id INTEGER NOT NULL,
    PRIMARY KEY (address, request_id)
) WITHOUT ROWID;
-- Mail with a greater id is not in that table yet: a search reads those rows themselves, too.
CREATE TABLE mail_addresses_progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_id INTEGER NOT NULL
);
INSERT INTO mail_addresses SELECT coalesce(address, email), id FROM email_requests ORDER BY 1, 2;
INSERT INTO mail_addresses_progress SELECT 1, coalesce(max(id), 0) FROM email_requests;
DROP INDEX email_requests_email;
DROP INDEX email_requests_address;

CREATE TRIGGER request_readdressed AFTER UPDATE OF email, address ON email_requests
WHEN new.id <= (SELECT last_id FROM mail_addresses_progress)
    AND coalesce(new.address, new.email) <> coalesce(old.address, old.email) BEGIN
    DELETE FROM mail_addresses WHERE address = coalesce(old.address, old.email) AND request_id = old.id;
    INSERT OR IGNORE INTO mail_addresses VALUES (coalesce(new.address, new.email), new.id);
END;
CREATE TRIGGER request_address_deleted AFTER DELETE ON email_requests BEGIN
    DELETE FROM mail_addresses WHERE address = coalesce(old.address, old.email) AND request_id = old.id;
    -- The ids of the latest mails are given again once these are deleted.
    UPDATE mail_addresses_progress SET last_id = (SELECT coalesce(max(id), 0) FROM email_requests)
        WHERE last_id > (SELECT coalesce(max(id), 0) FROM email_requests);
END;
