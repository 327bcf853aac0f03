-- Recipients of bulk mail that a sender domain's ramp has let go on, by day.
CREATE TABLE ramp_days (
    domain TEXT NOT NULL,
    day TEXT NOT NULL,                  -- YYYY-MM-DD, UTC
    recipients INTEGER NOT NULL,
    PRIMARY KEY (domain, day)
) WITHOUT ROWID;
-- The day on which a ramp let the mail go on; it does not wait for the ramp again unless it is held for something else.
ALTER TABLE email_requests ADD COLUMN ramped_on TEXT;
