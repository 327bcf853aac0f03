"""The composition root: the only place that builds the parts and hands them to each other."""

from email_consumer.daemon.faults import DaemonError
from email_consumer.daemon.roles import run, sidecar, worker

__all__ = ["DaemonError", "run", "sidecar", "worker"]
