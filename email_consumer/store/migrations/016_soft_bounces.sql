-- Automatic replies (Transient/General) used to count as soft bounces, like whatever else says nothing of the mailbox.
-- Whom only they brought onto the suppression list gets mail again. `detail` begins with how many bounces it took.
UPDATE suppressions SET removed_at = CAST(strftime('%s', 'now') AS REAL)
WHERE removed_at IS NULL AND reason = 'soft bounces'
  AND EXISTS (
    SELECT 1 FROM email_results AS result
    WHERE recipient = address AND result.status = 'Bounce' AND result.detail LIKE 'Transient%'
      AND result.detail <> 'Transient/MailboxFull'
  )
  AND CAST(suppressions.detail AS INTEGER) > (
    SELECT count(DISTINCT request_id) FROM email_results AS result
    WHERE recipient = address AND result.status = 'Bounce' AND result.detail = 'Transient/MailboxFull'
  );
