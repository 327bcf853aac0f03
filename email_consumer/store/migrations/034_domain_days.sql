-- What became of mail by the domain of its recipients and day (UTC), summed up from `email_results` (`store/domain_days.py`).
CREATE TABLE domain_days (
    day INTEGER NOT NULL,               -- Unix time / 86400
    domain TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    bounced INTEGER NOT NULL DEFAULT 0, -- for good
    soft_bounced INTEGER NOT NULL DEFAULT 0,
    complained INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, domain)
) WITHOUT ROWID;
-- A mail that is delayed for long is reported several times, and counts each time.
CREATE TABLE domain_delays (
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    reason TEXT NOT NULL,               -- SES's delayType
    delays INTEGER NOT NULL,
    PRIMARY KEY (day, domain, reason)
) WITHOUT ROWID;
-- One row: up to which result they are sums.
CREATE TABLE domain_days_progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_id INTEGER NOT NULL
);
INSERT INTO domain_days_progress VALUES (1, 0);
