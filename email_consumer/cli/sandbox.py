"""`email-consumer sandbox`: the same as `python -m email_consumer.sandbox`."""

from email_consumer.sandbox.__main__ import main as command

__all__ = ["command"]
