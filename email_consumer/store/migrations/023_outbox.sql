-- Events for publishers, in the order in which they were committed. Written by triggers, and only where EVENTS_OUT
-- is set. The last row stays: the next number is one more.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    type TEXT NOT NULL,                 -- empty: published
    at REAL NOT NULL,
    uuid TEXT,                          -- as the mail was published, also if its row has got another name since
    request_id INTEGER,                 -- the mail; its row says the rest
    result_id INTEGER,                  -- what an event from SES reported about one recipient
    attempt INTEGER,
    message_id TEXT,
    reason TEXT,
    address TEXT,                       -- without a mail: whose event it is
    scope TEXT                          -- unsubscribed: what from
);
