"""`email_consumer.aws_setup` without AWS."""
