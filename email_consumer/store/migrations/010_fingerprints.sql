-- What a uuid stands for, see email_consumer/fingerprint.py. Unknown for mail that an earlier version wrote.
ALTER TABLE email_requests ADD COLUMN recipients_hash INTEGER;
ALTER TABLE email_requests ADD COLUMN content_hash INTEGER;
