"""What else one would write, each as its users would: pull, decode, send, acknowledge. No ledger, no status, no pacing.

Each is a program that reads NATS_URL, STREAM, SUBJECT, CONSUMER and AWS's own variables; `--tuned` makes the most of it.
"""
