-- An address may be on the suppression list several times: for all mail, for bulk mail, and for single unsubscribe groups.
CREATE TABLE suppressions_by_scope (
    address TEXT NOT NULL,              -- in normal form
    reason TEXT NOT NULL,               -- complaint, hard bounce, unsubscribed, manual, soft bounces
    detail TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL,               -- event, recipient, api
    created_at REAL NOT NULL,           -- when it happened
    removed_at REAL,                    -- since then mail passes again, and what happened before doesn't count
    mirror TEXT,                        -- put or delete: still to be done to SES's account-level list
    scope TEXT NOT NULL DEFAULT 'all',  -- the mail that is stopped: all, bulk, or bulk:<unsubscribe group>
    PRIMARY KEY (address, scope)
) WITHOUT ROWID;
-- Unsubscribing used to stop all mail, and no mail had a lane. Removed entries stay with what bounces and complaints are
-- compared with.
INSERT INTO suppressions_by_scope (address, scope, reason, detail, source, created_at, removed_at, mirror)
    SELECT address, iif(reason = 'unsubscribed' AND removed_at IS NULL, 'bulk', 'all'),
        reason, detail, source, created_at, removed_at, mirror
    FROM suppressions;
DROP TABLE suppressions;
ALTER TABLE suppressions_by_scope RENAME TO suppressions;
CREATE INDEX suppressions_to_mirror ON suppressions (address) WHERE mirror IS NOT NULL;
