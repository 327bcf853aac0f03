-- With the ledger on JetStream: which revision of the mail's record the row shows, 0 where none did so far.
ALTER TABLE email_requests ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER request_inserted_sent AFTER INSERT ON email_requests WHEN new.status = 2 BEGIN
    INSERT INTO sent_minutes VALUES (CAST(new.finished_at AS INTEGER) / 60, 1)
        ON CONFLICT DO UPDATE SET count = count + 1;
END;
