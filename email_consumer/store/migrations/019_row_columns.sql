-- What a mail is listed by. NULL where it is not known, and for mail that an earlier version wrote.
ALTER TABLE email_requests ADD COLUMN lane TEXT;
ALTER TABLE email_requests ADD COLUMN tenant TEXT;
ALTER TABLE email_requests ADD COLUMN subject TEXT;    -- the start of the subject line, unless KEEP_SUBJECTS=false
