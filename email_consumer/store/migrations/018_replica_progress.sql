-- How far the copy of the rows in JetStream has come (only where there is such a copy, see email_consumer/replica). Not
-- copied itself.
CREATE TABLE replica_progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),  -- there is one copy
    generation TEXT NOT NULL,               -- names the copy, as its first message does; '': made before copies had a name
    version INTEGER NOT NULL,               -- of the schema that its rows have
    sequence INTEGER NOT NULL,              -- the last one in the stream that we know of
    name TEXT,                              -- the table that is being copied from end to end; NULL: all of them were
    key TEXT                                -- the last row of it that was copied, as in replica_changes
);
INSERT INTO replica_progress (id, generation, version, sequence) SELECT 1, '', 0, 0 FROM facts WHERE name = 'replica';
DELETE FROM facts WHERE name = 'replica';
