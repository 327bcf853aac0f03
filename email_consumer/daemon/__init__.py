"""The composition root: the only place that builds the parts and hands them to each other."""

from email_consumer.daemon.roles import run
from email_consumer.daemon.start import DaemonError

__all__ = ["DaemonError", "run"]
