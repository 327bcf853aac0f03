"""Counts and logs mail that is settled without being sent, by reason.

The outcome of each mail is in its row. When many mails have the same reason, one log line every few seconds names one of them.
"""

import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.runtime.throttle import Throttle

DUPLICATE = "duplicate"
ERASED = "erased"
"""Reasons in addition to those of `StopReason` and `DeadLetterKind`."""
_INTERVAL = 10.0

_log = structlog.get_logger(__name__)


class Unsent:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._throttle = Throttle(_INTERVAL)

    def record(self, uuid: str, reason: str, **fields: object) -> None:
        """Count one mail; `fields` are added to its log line."""
        self.count(reason)
        unlogged = self._throttle.admit(reason)
        if unlogged is not None:
            _log.info("mail.unsent", uuid=uuid, reason=reason, **fields, unlogged=unlogged)

    def count(self, reason: str, mails: int = 1) -> None:
        """Count mails that are logged elsewhere."""
        self._metrics.unsent[reason] += mails
