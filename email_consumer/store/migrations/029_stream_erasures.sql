-- Erasures that still have to look through a stream; the row, and with it the address, is deleted at the end.
CREATE TABLE stream_erasures (
    id INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    address TEXT NOT NULL,              -- in normal form
    after INTEGER NOT NULL DEFAULT 0,   -- up to this sequence nothing names it any more
    deleted INTEGER NOT NULL DEFAULT 0
);
