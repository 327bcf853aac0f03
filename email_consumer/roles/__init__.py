"""The composition root: the only place that builds the parts and hands them to each other."""

from email_consumer.roles.errors import DaemonError
from email_consumer.roles.supervisor import run, sidecar, worker

__all__ = ["DaemonError", "run", "sidecar", "worker"]
