"""By the hundred: what strangers try against the running daemon."""
