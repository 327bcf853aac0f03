"""Answers while the process waits to start, so that operators can see what it waits for.

`/health` and `/ready` answer as always, everything else with a 503: SNS gives up an event for good that gets a 404, and
without that event mail in doubt would be sent again.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import structlog
from aiohttp import web

from email_consumer.web.app import create_app
from email_consumer.web.health import HealthRoutes
from email_consumer.web.routing import ApiError, operation
from email_consumer.web.server import Server

_METRICS = "/metrics"

_RETRY_AFTER = "5"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    port: int
    bind: str | None
    """None: all interfaces."""


class WaitingServer:
    """`open` may be called within the block of `running`; the port is free again after it."""

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
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
        routes.append(web.route("*", "/{path:.*}", _not_yet))
        app = create_app(routes, [], version=version("email-consumer"))
        try:
            await self._stack.enter_async_context(Server(app, self._address.port, host=self._address.bind))
        except OSError as error:  # for example because the process we wait for runs on this machine
            _log.debug("waiting_server.not_listening", error=str(error))


@operation("Answer whatever is asked too early", open_to_all=True)
async def _not_yet(_request: web.Request) -> web.StreamResponse:
    raise ApiError(503, "starting", "Not started yet; see /ready.", headers={"Retry-After": _RETRY_AFTER})
