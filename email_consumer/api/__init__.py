"""The HTTP API: submitting mail, topics and statistics, dead letters, erasure."""
