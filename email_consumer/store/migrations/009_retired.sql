-- A uuid's former lives were kept as `uuid#id`, which a publisher may use for a uuid as well. Now a NUL divides the two,
-- which no uuid has. The tag tells which rows are former lives: it is that of the uuid before the `#`, and a mail whose own
-- uuid has a `#` always has another.
CREATE TEMP TABLE retired AS
SELECT id, substr(uuid, 1, length(uuid) - length('#' || id)) AS uuid FROM email_requests AS former
WHERE status >= 2 AND substr(uuid, -length('#' || id)) = '#' || id AND (tag IS NULL OR EXISTS (
    SELECT 1 FROM email_requests AS later
    WHERE later.uuid = substr(former.uuid, 1, length(former.uuid) - length('#' || former.id)) AND later.tag = former.tag
));
UPDATE email_requests SET uuid = retired.uuid || char(0) || retired.id FROM retired WHERE email_requests.id = retired.id;
-- With roles apart, the copy of the rows hears of it too.
INSERT INTO replica_changes (name, key)
SELECT 'email_requests', json_array(id) FROM retired WHERE EXISTS (SELECT 1 FROM facts WHERE name = 'replica');
DROP TABLE retired;
