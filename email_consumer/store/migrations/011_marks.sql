-- A cancellation's place in the order of what is stored: in which stream, and the moment by the clock of a source that
-- numbers nothing. NULL where the version before noted it, which knew neither.
ALTER TABLE cancellations ADD COLUMN stream TEXT;
ALTER TABLE cancellations ADD COLUMN stored_before REAL;
