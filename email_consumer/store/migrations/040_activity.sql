-- What happened, by minute and lane; what is older than two days by hour (`store/activity.py`). A mail counts once in each
-- column, by what happened to its own recipient: copies (cc and bcc), and opens and clicks by programs, don't count.
CREATE TABLE activity_minutes (
    minute INTEGER NOT NULL,            -- Unix time / 60
    lane TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,    -- SES accepted it
    failed INTEGER NOT NULL DEFAULT 0,  -- it was refused, or its last attempt failed
    stopped INTEGER NOT NULL DEFAULT 0, -- cancelled, suppressed or expired
    delivered INTEGER NOT NULL DEFAULT 0,
    delayed INTEGER NOT NULL DEFAULT 0,
    bounced INTEGER NOT NULL DEFAULT 0, -- for good: what SES counts as a bounce
    soft_bounced INTEGER NOT NULL DEFAULT 0,
    complained INTEGER NOT NULL DEFAULT 0,
    opened INTEGER NOT NULL DEFAULT 0,
    clicked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, lane)
) WITHOUT ROWID;
CREATE TABLE activity_hours (
    hour INTEGER NOT NULL,              -- Unix time / 3600
    lane TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    stopped INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    delayed INTEGER NOT NULL DEFAULT 0,
    bounced INTEGER NOT NULL DEFAULT 0,
    soft_bounced INTEGER NOT NULL DEFAULT 0,
    complained INTEGER NOT NULL DEFAULT 0,
    opened INTEGER NOT NULL DEFAULT 0,
    clicked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, lane)
) WITHOUT ROWID;

-- The past. The next sweep of retention moves what is old.
INSERT INTO activity_minutes (minute, lane, sent, failed, stopped)
SELECT CAST(finished_at AS INTEGER) / 60 AS minute, coalesce(lane, 'bulk') AS lane,
    sum(status = 2), sum(status = 3), sum(status = 4)
FROM email_requests WHERE status >= 2 AND finished_at IS NOT NULL GROUP BY 1, 2;
INSERT INTO activity_minutes (minute, lane, delivered, delayed, bounced, soft_bounced, complained, opened, clicked, failed)
SELECT CAST(at AS INTEGER) / 60 AS minute, lane, sum(kind = 'Delivery'), sum(kind = 'DeliveryDelay'),
    sum(kind = 'Bounce' AND NOT soft), sum(kind = 'Bounce' AND soft), sum(kind = 'Complaint'), sum(kind = 'Open'),
    sum(kind = 'Click'), sum(kind IN ('Reject', 'Rendering Failure'))
FROM (
    SELECT min(result.created_at) AS at, coalesce(mail.lane, 'bulk') AS lane, result.status AS kind,
        result.detail LIKE 'Transient%' AS soft
    FROM email_results AS result JOIN email_requests AS mail ON mail.id = result.request_id
    WHERE result.machine = 0 AND result.recipient = coalesce(mail.address, mail.email)
        AND NOT (result.status = 'Complaint' AND (result.detail LIKE 'not-spam%' OR result.detail LIKE 'auth-failure%'))
    GROUP BY mail.id, result.status, soft
)
WHERE kind IN ('Delivery', 'DeliveryDelay', 'Bounce', 'Complaint', 'Open', 'Click', 'Reject', 'Rendering Failure')
GROUP BY 1, 2
ON CONFLICT DO UPDATE SET delivered = excluded.delivered, delayed = excluded.delayed, bounced = excluded.bounced,
    soft_bounced = excluded.soft_bounced, complained = excluded.complained, opened = excluded.opened,
    clicked = excluded.clicked, failed = failed + excluded.failed;

CREATE TRIGGER request_ended_active AFTER UPDATE OF status ON email_requests
WHEN new.status >= 2 AND new.status <> old.status BEGIN
    INSERT INTO activity_minutes (minute, lane, sent, failed, stopped)
    VALUES (CAST(coalesce(new.finished_at, new.updated_at) AS INTEGER) / 60, coalesce(new.lane, 'bulk'),
        new.status = 2, new.status = 3, new.status = 4)
    ON CONFLICT DO UPDATE SET sent = sent + excluded.sent, failed = failed + excluded.failed,
        stopped = stopped + excluded.stopped;
END;
CREATE TRIGGER request_inserted_active_end AFTER INSERT ON email_requests WHEN new.status >= 2 BEGIN
    INSERT INTO activity_minutes (minute, lane, sent, failed, stopped)
    VALUES (CAST(coalesce(new.finished_at, new.updated_at) AS INTEGER) / 60, coalesce(new.lane, 'bulk'),
        new.status = 2, new.status = 3, new.status = 4)
    ON CONFLICT DO UPDATE SET sent = sent + excluded.sent, failed = failed + excluded.failed,
        stopped = stopped + excluded.stopped;
END;
-- Deliveries apart from the rest: they are most of what is reported.
CREATE TRIGGER delivery_active AFTER INSERT ON email_results WHEN new.status = 'Delivery' BEGIN
    INSERT INTO activity_minutes (minute, lane, delivered)
    SELECT CAST(new.created_at AS INTEGER) / 60, coalesce(mail.lane, 'bulk'), 1 FROM email_requests AS mail
    WHERE mail.id = new.request_id AND new.recipient = coalesce(mail.address, mail.email) AND NOT EXISTS (
        SELECT 1 FROM email_results AS earlier
        WHERE earlier.request_id = new.request_id AND earlier.id <> new.id AND +earlier.status = 'Delivery'
            AND +earlier.recipient = new.recipient
    )
    ON CONFLICT DO UPDATE SET delivered = delivered + 1;
END;
CREATE TRIGGER result_active AFTER INSERT ON email_results
WHEN new.status IN ('DeliveryDelay', 'Bounce', 'Complaint', 'Open', 'Click', 'Reject', 'Rendering Failure')
    AND new.machine = 0
    AND NOT (new.status = 'Complaint' AND (new.detail LIKE 'not-spam%' OR new.detail LIKE 'auth-failure%')) BEGIN
    INSERT INTO activity_minutes (minute, lane, delayed, bounced, soft_bounced, complained, opened, clicked, failed)
    SELECT CAST(new.created_at AS INTEGER) / 60, coalesce(mail.lane, 'bulk'), new.status = 'DeliveryDelay',
        new.status = 'Bounce' AND new.detail NOT LIKE 'Transient%', new.status = 'Bounce' AND new.detail LIKE 'Transient%',
        new.status = 'Complaint', new.status = 'Open', new.status = 'Click', new.status IN ('Reject', 'Rendering Failure')
    FROM email_requests AS mail
    WHERE mail.id = new.request_id AND new.recipient = coalesce(mail.address, mail.email) AND NOT EXISTS (
        SELECT 1 FROM email_results AS earlier
        WHERE earlier.request_id = new.request_id AND earlier.id <> new.id AND +earlier.status = new.status
            AND +earlier.recipient = new.recipient AND earlier.machine = 0
            AND (earlier.detail LIKE 'Transient%') = (new.detail LIKE 'Transient%')
    )
    ON CONFLICT DO UPDATE SET delayed = delayed + excluded.delayed, bounced = bounced + excluded.bounced,
        soft_bounced = soft_bounced + excluded.soft_bounced, complained = complained + excluded.complained,
        opened = opened + excluded.opened, clicked = clicked + excluded.clicked, failed = failed + excluded.failed;
END;
