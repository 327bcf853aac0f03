-- To which trace a mail belongs: the header `traceparent` of the span that handled it last, or of the request that it came with.
-- A table of its own, so that other mail costs nothing. Empty where traces are off.
CREATE TABLE mail_traces (
    request_id INTEGER PRIMARY KEY REFERENCES email_requests (id) ON DELETE CASCADE,
    traceparent TEXT NOT NULL
);
-- With the delivery, so that a retry days later still has it.
ALTER TABLE webhook_deliveries ADD COLUMN traceparent TEXT;
