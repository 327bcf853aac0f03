"""Scheduled mail: published when due, no faster than the queue drains."""
