-- Lists mail that waits in the store. Mail that is claimed as soon as it is known never enters the index.
CREATE INDEX email_requests_waiting ON email_requests (id) WHERE status = 0;
