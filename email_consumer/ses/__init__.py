"""Sending through Amazon SES v2: one message, one request, one attempt."""
