-- Where the stream stored what we published: mail that is still open once its consumer is past that was lost.
ALTER TABLE email_requests ADD COLUMN published_sequence INTEGER NOT NULL DEFAULT 0;
