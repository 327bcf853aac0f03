"""Amazon SQS, for the intake and for SES's events."""
