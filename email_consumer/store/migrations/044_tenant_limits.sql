-- What each tenant with limits has used of them.
CREATE TABLE tenant_limits (
    tenant TEXT PRIMARY KEY,
    day TEXT NOT NULL,                  -- YYYY-MM-DD, UTC
    recipients INTEGER NOT NULL,        -- on that day
    free_at REAL NOT NULL               -- when the rate allows the next mail, Unix seconds
) WITHOUT ROWID;
-- The day on which its tenant's limits let the mail go on; on that day it does not wait for them again.
ALTER TABLE email_requests ADD COLUMN limited_on TEXT;
