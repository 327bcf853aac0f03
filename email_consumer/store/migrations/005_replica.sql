-- Rows that are still to be copied to JetStream (only where there is such a copy, see email_consumer/replica).
CREATE TABLE replica_changes (
    seq INTEGER PRIMARY KEY,
    name TEXT NOT NULL,                 -- the table's
    key TEXT NOT NULL                   -- its primary key's values, a JSON array
);
