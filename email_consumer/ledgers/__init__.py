"""Idempotency and status: what was claimed, what became of it."""
