CREATE TABLE webhook_endpoints (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    types TEXT,                         -- JSON arrays; NULL: all
    topics TEXT,
    lane TEXT,
    secret TEXT NOT NULL,
    former_secret TEXT,                 -- signs too, until
    former_until REAL,
    created_at REAL NOT NULL,
    failing_since REAL,
    disabled_at REAL,                   -- events wait
    disabled_reason TEXT
);
CREATE TABLE webhook_deliveries (
    id INTEGER PRIMARY KEY,
    endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL,                       -- NULL: delivered, or given up
    delivered_at REAL,
    error TEXT,                         -- of the last attempt
    created_at REAL NOT NULL
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, id);
