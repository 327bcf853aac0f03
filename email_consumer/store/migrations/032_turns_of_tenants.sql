-- What is to be published, each tenant apart: they take turns.
DROP INDEX email_requests_due;
CREATE INDEX email_requests_due
    ON email_requests (lane IS 'transactional', coalesce(tenant, ''), coalesce(scheduled_at, created_at), id)
    WHERE (status = 0 OR in_doubt = 1) AND published_at IS NULL AND content_id IS NOT NULL AND held_by IS NULL;
