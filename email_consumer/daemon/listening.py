"""The HTTP server of a role, and the routes that every role has."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from importlib.metadata import version

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from email_consumer.daemon.faults import DaemonError
from email_consumer.daemon.ground import Ground
from email_consumer.dashboard.security_headers import add_security_headers
from email_consumer.settings import Settings
from email_consumer.sidecar.app import create_app
from email_consumer.sidecar.health import HealthRoutes
from email_consumer.sidecar.server import Server

_log = structlog.get_logger(__name__)


async def listen(
    settings: Settings,
    routes: Iterable[web.RouteDef],
    stack: AsyncExitStack,
    *,
    admits: Callable[[web.Request], bool] = lambda _: False,
) -> None:
    """Serve `routes` until the end; `admits` opens protected ones to whom it knows.

    Raises:
        DaemonError: the port is taken.
    """
    keys = [key.get_secret_value() for key in settings.api_key]
    app = create_app(routes, keys, version=version("email-consumer"), admits=admits)
    app.on_response_prepare.append(add_security_headers)
    server = Server(app, settings.server_port)
    try:
        await stack.enter_async_context(server)
    except OSError as error:
        raise DaemonError(f"SERVER_PORT: can't listen on port {settings.server_port}: {error.strerror}") from error
    _log.info("sidecar.listening", port=server.port)


def health_routes(
    ground: Ground, metrics: CollectorRegistry, checks: Mapping[str, Callable[[], Awaitable[None]]]
) -> list[web.RouteDef]:
    """`checks` beside those of the sources and of SES."""

    async def ses() -> None:
        if ground.meters.held:
            raise ConnectionError(ground.meters.held)

    sources = {name: source.check for name, source in ground.sources.items()}
    return HealthRoutes({**sources, **checks, "ses": ses}, lambda: generate_latest(metrics)).routes()
