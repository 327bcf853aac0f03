"""What is settled without being sent is never silent: it is counted by its reason, and told in a line.

What becomes of the mail itself stands in its row. Of many mails for the same reason one line every few seconds tells, and
names one of them.
"""

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.throttle import Throttle

DUPLICATE = "duplicate"
ERASED = "erased"
"""Reasons beside those of `StopReason` and `DeadLetterKind`."""
_INTERVAL = 10.0

_log = structlog.get_logger(__name__)


class Unsent:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._throttle = Throttle(_INTERVAL)

    def record(self, uuid: str, reason: str, **facts: object) -> None:
        """One mail; `facts` go into its line."""
        self.count(reason)
        unlogged = self._throttle.admit(reason)
        if unlogged is not None:
            _log.info("mail.unsent", uuid=uuid, reason=reason, **facts, unlogged=unlogged)

    def count(self, reason: str, mails: int = 1) -> None:
        """Mails that have a line elsewhere."""
        self._metrics.unsent[reason] += mails
