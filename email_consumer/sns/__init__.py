"""Verifies that a message was sent by one of our SNS topics.

`cryptography` is imported by the functions that need it: 8 MB and 50 ms that a process spares until its first event.
"""
