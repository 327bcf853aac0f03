"""The composition root: the only place that builds the parts of a process and connects them."""

from email_consumer.roles.process import run, sidecar, worker
from email_consumer.runtime.errors import OperatorError

__all__ = ["OperatorError", "run", "sidecar", "worker"]
