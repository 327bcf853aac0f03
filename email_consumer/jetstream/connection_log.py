"""One log line for each change of the NATS connection, however often nats-py reports it."""

import re
import time
from collections.abc import Callable

import structlog
from nats.aio.client import Client

from email_consumer.jetstream.connection_errors import NatsConnectError, explain, without_password
from email_consumer.runtime.throttle import Throttle

_log = structlog.get_logger(__name__)

_REPEAT_AFTER = 60.0
"""Seconds before the same error is worth another line."""
_SUBJECT = re.compile(r'"(\$JS\.API\.[^".]*\.[^".]*|[^".]*\.[^".]*)(?:\.[^"]*)?"')
"""In an error that names one, and what is the same for each mail, record or inbox."""


class ConnectionLog:
    """nats-py's callbacks. While the first connect goes on, a refusal is raised out of it."""

    def __init__(self, client: Client, where: str, on_lost: Callable[[Exception], None] | None) -> None:
        self._client = client
        self._where = where
        self._on_lost = on_lost
        self._connected = False
        self._lost_at: float | None = None
        self._said = Throttle(_REPEAT_AFTER)
        self._overcome: Exception | None = None
        self.last_error: Exception | None = None

    def connected(self) -> None:
        """The first connect succeeded."""
        self._connected = True
        self._overcome = self._client.last_error
        self._said = Throttle(_REPEAT_AFTER)
        _log.info("nats.connected", server=self._server())

    async def disconnected(self) -> None:
        if self._client.is_closed or not self._connected or self._lost_at is not None:
            return
        self._lost_at = time.monotonic()
        _log.warning("nats.disconnected", next="reconnecting until it is back; nothing is lost meanwhile")

    async def reconnected(self) -> None:
        away = time.monotonic() - self._lost_at if self._lost_at is not None else 0.0
        self._lost_at = None
        self._overcome = self._client.last_error
        self._said = Throttle(_REPEAT_AFTER)
        _log.info("nats.reconnected", server=self._server(), away_seconds=round(away, 1))

    async def error(self, error: Exception) -> None:
        self.last_error = error
        text, refusal = explain(error)
        if refusal and not self._connected:
            # Neither nats-py's nor an OSError, so its endless loop of first attempts lets it through.
            raise NatsConnectError(f"no connection to NATS at {self._where}: {text}")
        if self._said.admit(_SUBJECT.sub(r"\1", text)) is not None:
            _log.warning("nats.error" if self._connected else "nats.not_reached", error=text)

    async def closed(self) -> None:
        fault = self._client.last_error
        if not self._connected or fault is None or fault is self._overcome:
            return  # we closed it ourselves
        text, _ = explain(fault)
        _log.error("nats.connection_lost", error=text)
        if self._on_lost:
            self._on_lost(fault)

    def _server(self) -> str:
        url = self._client.connected_url
        return without_password(url.netloc).removeprefix("nats://") if url else ""
