"""Answers `/health` and `/ready` while the process waits to start, so that operators can see what it waits for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

import structlog

from email_consumer.settings import Settings
from email_consumer.web.app import create_app
from email_consumer.web.health import HealthRoutes
from email_consumer.web.server import Server

_METRICS = "/metrics"

_log = structlog.get_logger(__name__)


class WaitingServer:
    """`open` may be called within the block of `running`; the port is free again after it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the server at the end of the block, if it was opened."""
        async with self._stack:
            yield

    async def open(self, name: str, reason: str) -> None:
        """Start the server; `/ready` reports `reason` under `name`."""

        async def waits() -> None:
            raise ConnectionError(reason)

        routes = [route for route in HealthRoutes({name: waits}, bytes).routes() if route.path != _METRICS]
        app = create_app(routes, [], version=version("email-consumer"))
        try:
            await self._stack.enter_async_context(
                Server(app, self._settings.server_port, host=self._settings.server_bind)
            )
        except OSError as error:  # for example because the process we wait for runs on this machine
            _log.debug("waiting_server.not_listening", error=str(error))
