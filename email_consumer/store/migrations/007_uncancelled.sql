-- A mail that was cancelled while in doubt, and of which SES's event then proves that it was sent.
CREATE TRIGGER request_not_cancelled AFTER UPDATE OF status ON email_requests
WHEN old.status = 4 AND new.status <> 4 AND old.error = 'cancelled' BEGIN
    UPDATE cancellations SET cancelled = max(0, cancelled - 1) WHERE topic_id = new.topic_id;
END;
