-- The form in which an endpoint gets events: ours, or that of Resend.
ALTER TABLE webhook_endpoints ADD COLUMN format TEXT NOT NULL DEFAULT 'standard';
