"""The application: the routes of all stages under one key check and one shape of error."""

from collections.abc import Callable, Iterable, Sequence

from aiohttp import web

from email_consumer.core.metrics import Metrics
from email_consumer.web.api_keys import ApiKeys
from email_consumer.web.bodies import BODIES, Bodies
from email_consumer.web.error_responses import Faults
from email_consumer.web.hosts import known_hosts
from email_consumer.web.openapi import document_route
from email_consumer.web.targets import plain_targets
from email_consumer.web.wrong_keys import WrongKeys

MAX_BODY = 16 * 2**20
"""Bytes: 10,000 addresses of the longest kind, and a content as large as NATS takes by default, several times over."""


def create_app(
    routes: Iterable[web.RouteDef],
    api_keys: Sequence[str],
    *,
    version: str,
    max_body: int = MAX_BODY,
    admits: Callable[[web.Request], bool] = lambda _: False,
    serves: Callable[[str], bool] | None = None,
    wrong_keys: WrongKeys | None = None,
) -> web.Application:
    """Each route's handler says by `operation` what it does and whether it is open to all.

    Args:
        routes: of every stage.
        api_keys: any of them opens the protected routes; none: these refuse.
        version: of the program, for the OpenAPI document.
        max_body: bytes of a request body.
        admits: what opens them else, such as a browser's session.
        serves: whether a request with this Host header is for us; None: with any.
        wrong_keys: hears of wrong keys.
    """
    bodies = Bodies()
    checks = [known_hosts(serves)] if serves else []
    keys = ApiKeys(api_keys, admits, wrong_keys or WrongKeys(Metrics()))
    middlewares = [Faults().middleware, *checks, plain_targets, keys.middleware, bodies.middleware]
    app = web.Application(middlewares=middlewares, client_max_size=max_body)
    app[BODIES] = bodies
    routes = list(routes)
    app.add_routes([*routes, document_route(routes, version)])
    return app
