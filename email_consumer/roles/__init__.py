"""The composition root: the only place that builds the parts and hands them to each other."""

from email_consumer.roles.process import run, sidecar, worker
from email_consumer.runtime.errors import OperatorError

__all__ = ["OperatorError", "run", "sidecar", "worker"]
