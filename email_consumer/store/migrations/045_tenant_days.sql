-- What became of each tenant's mail, by day (UTC). A mail counts by what happened to its own recipient; sent ones are counted
-- here, results are summed up from `email_results` (`store/tenant_days.py`).
CREATE TABLE tenant_days (
    day INTEGER NOT NULL,               -- Unix time / 86400
    tenant TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,    -- SES accepted it
    delivered INTEGER NOT NULL DEFAULT 0,
    bounced INTEGER NOT NULL DEFAULT 0, -- for good
    complained INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, tenant)
) WITHOUT ROWID;
-- One row: up to which result they are sums.
CREATE TABLE tenant_days_progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_id INTEGER NOT NULL
);
INSERT INTO tenant_days_progress VALUES (1, 0);

-- The past.
INSERT INTO tenant_days (day, tenant, sent)
SELECT CAST(finished_at AS INTEGER) / 86400, tenant, count(*) FROM email_requests
WHERE status = 2 AND tenant IS NOT NULL AND finished_at IS NOT NULL GROUP BY 1, 2;

CREATE TRIGGER request_sent_tenant AFTER UPDATE OF status ON email_requests
WHEN new.tenant IS NOT NULL AND new.status = 2 AND old.status <> 2 BEGIN
    INSERT INTO tenant_days (day, tenant, sent)
    VALUES (CAST(coalesce(new.finished_at, new.updated_at) AS INTEGER) / 86400, new.tenant, 1)
    ON CONFLICT DO UPDATE SET sent = sent + 1;
END;
CREATE TRIGGER request_inserted_sent_tenant AFTER INSERT ON email_requests
WHEN new.tenant IS NOT NULL AND new.status = 2 BEGIN
    INSERT INTO tenant_days (day, tenant, sent)
    VALUES (CAST(coalesce(new.finished_at, new.updated_at) AS INTEGER) / 86400, new.tenant, 1)
    ON CONFLICT DO UPDATE SET sent = sent + 1;
END;
