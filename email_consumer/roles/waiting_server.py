"""Answers `/health` and `/ready` while the program still waits for its turn, so that whoever looks learns for what."""

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
    """`open` may be called while the block of `standing` lasts; with its end the port is free again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """Nothing is listened on before `open`."""
        async with self._stack:
            yield

    async def open(self, name: str, reason: str) -> None:
        """Say that we wait for what `name` stands for, and why."""

        async def waits() -> None:
            raise ConnectionError(reason)

        routes = [route for route in HealthRoutes({name: waits}, bytes).routes() if route.path != _METRICS]
        app = create_app(routes, [], version=version("email-consumer"))
        try:
            await self._stack.enter_async_context(
                Server(app, self._settings.server_port, host=self._settings.server_bind)
            )
        except OSError as error:  # as where the one that we wait for runs on this machine
            _log.debug("porch.not_open", error=str(error))
