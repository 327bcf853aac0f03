"""Verifies that a message was sent by one of our SNS topics."""
