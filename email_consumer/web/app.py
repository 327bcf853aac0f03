"""The application: all routes, with one key check and one shape of error."""

from collections.abc import Callable, Iterable, Sequence

from aiohttp import web

from email_consumer.core.metrics import Metrics
from email_consumer.web.api_keys import ApiKeys
from email_consumer.web.bodies import BODIES, RequestBodies
from email_consumer.web.error_responses import ErrorResponses
from email_consumer.web.openapi import document_route
from email_consumer.web.request_checks import known_hosts, plain_targets
from email_consumer.web.wrong_keys import WrongKeys

MAX_BODY = 16 * 2**20
"""Bytes: 10,000 addresses of maximum length and several times the largest content that NATS accepts by default."""


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
    """Build it; `operation` on each handler describes it and says whether it needs a key.

    Args:
        routes: of all packages.
        api_keys: any of them grants access to protected routes; without keys these refuse every request.
        version: of the program, for the OpenAPI document.
        max_body: largest request body, in bytes.
        admits: other credentials that grant access, such as a browser session.
        serves: whether to accept a request with this Host header; None accepts any.
        wrong_keys: records requests with a wrong key.
    """
    bodies = RequestBodies()
    checks = [known_hosts(serves)] if serves else []
    keys = ApiKeys(api_keys, admits, wrong_keys or WrongKeys(Metrics()))
    middlewares = [ErrorResponses().middleware, *checks, plain_targets, keys.middleware, bodies.middleware]
    app = web.Application(middlewares=middlewares, client_max_size=max_body)
    app[BODIES] = bodies
    routes = list(routes)
    app.add_routes([*routes, document_route(routes, version)])
    return app
