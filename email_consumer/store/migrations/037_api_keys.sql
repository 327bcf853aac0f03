CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,        -- SHA-256 of the key, which is stored nowhere
    hint TEXT NOT NULL,                 -- its first characters, to recognize it by
    scopes TEXT NOT NULL,               -- JSON arrays; empty: no limit
    topics TEXT NOT NULL,
    senders TEXT NOT NULL,
    lane TEXT,
    tenant TEXT,
    created_at REAL NOT NULL,
    expires_at REAL,
    last_used_at REAL                   -- written once a minute
);
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    key_id TEXT NOT NULL,               -- stays when the key is removed
    key_name TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    status INTEGER NOT NULL,
    address TEXT NOT NULL               -- IP address of the client
);
CREATE INDEX audit_log_at ON audit_log (at);
