"""The HTTP server of a role, and the routes that every role has."""

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from email_consumer.core.metrics import Metrics
from email_consumer.roles.access import Access
from email_consumer.roles.parts import Parts
from email_consumer.roles.waiting_server import ServerAddress
from email_consumer.runtime.errors import OperatorError
from email_consumer.web.app import create_app
from email_consumer.web.connections import Connections
from email_consumer.web.descriptors import connection_limit, raise_descriptor_limit
from email_consumer.web.grant import Grant
from email_consumer.web.health import HealthRoutes
from email_consumer.web.origin import names_this_machine
from email_consumer.web.security_headers import add_security_headers
from email_consumer.web.server import MOST_CONNECTIONS, Server
from email_consumer.web.wrong_keys import WrongKeys

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HttpOptions:
    server: ServerAddress
    keys: Sequence[str]
    """Values of API_KEY."""
    on_loopback: bool
    """Nobody but this machine can reach the server."""
    concurrency: int
    """Connections to SES, for which descriptors are left."""


async def listen(
    parts: Parts,
    options: HttpOptions,
    routes: Iterable[web.RouteDef],
    *,
    admits: Callable[[web.Request], Grant | None] = lambda _: None,
    access: Access | None = None,
) -> None:
    """Serve `routes` until the process ends.

    `admits` says what a request without a key may do; `access` has the stored keys and the audit log.

    Raises:
        OperatorError: the server can't listen on its address or port.
    """
    # A web page whose host name resolves to this machine can reach servers that listen on loopback only (DNS rebinding).
    serves = partial(names_this_machine, any_address=not options.on_loopback) if parts.local else None
    wrong_keys = WrongKeys(parts.metrics)
    stored: dict[str, Any] = {"find_key": access.keys.find, "record": access.log.record} if access else {}
    app = create_app(
        routes,
        options.keys,
        version=version("email-consumer"),
        admits=admits,
        serves=serves,
        wrong_keys=wrong_keys,
        **stored,
    )
    app.on_response_prepare.append(add_security_headers)
    most = connection_limit(raise_descriptor_limit(), options.concurrency, MOST_CONNECTIONS)
    connections = Connections(most, parts.metrics)
    server = Server(app, options.server.port, host=options.server.bind, connections=connections)
    try:
        await parts.services.enter(server)
    except OSError as error:
        variable = "SERVER_BIND" if error.errno == errno.EADDRNOTAVAIL else "SERVER_PORT"
        raise OperatorError(f"{variable}: can't listen on {server.address}: {error.strerror}") from error
    _log.info("sidecar.listening", port=server.port)


def health_routes(parts: Parts, metrics: CollectorRegistry) -> list[web.RouteDef]:
    """`/health`, `/ready` and `/metrics`; `/ready` includes checks that are added later."""

    def render(open_metrics: bool) -> bytes:
        if open_metrics:
            return bytes(openmetrics.generate_latest(metrics))  # type: ignore[no-untyped-call]
        return generate_latest(metrics)

    return HealthRoutes(
        parts.checks,
        render,
        safe_mode=parts.safe_mode_kind,
        holds=lambda: parts.metrics.holds,
        limited_tenants=lambda: parts.metrics.limited_tenants,
    ).routes()


def check_pace(parts: Parts, metrics: Metrics) -> None:
    """Add a check that fails while sending is paused; `metrics` are those of the workers, as far as this process knows."""

    async def ses() -> None:
        if metrics.held:
            raise ConnectionError(metrics.held)

    parts.checks["ses"] = ses
