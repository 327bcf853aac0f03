"""Message keys this version does not know: each is logged once, and all are counted."""

from collections.abc import Iterable

import structlog

from email_consumer.core.metrics import Metrics

MAX_LOGGED = 100
"""Distinct keys; a publisher can invent any number of them."""

_log = structlog.get_logger(__name__)


class UnknownKeys:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._logged: set[str] = set()

    def record(self, keys: Iterable[str], source: str) -> None:
        """Record the unknown keys of one message or request that came in through `source` (`nats`, `sqs` or `api`)."""
        for key in sorted(keys):
            self._metrics.unknown_keys += 1
            if key in self._logged or len(self._logged) >= MAX_LOGGED:
                continue
            self._logged.add(key)
            _log.warning("message.unknown_key", key=key, source=source, hint="ignored; see the message reference")
            if len(self._logged) == MAX_LOGGED:
                _log.warning("message.unknown_keys_many", keys=MAX_LOGGED, hint="further ones are only counted")
