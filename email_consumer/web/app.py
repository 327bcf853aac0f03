"""The application: all routes, with one key check and one shape of error."""

from collections.abc import Callable, Iterable, Sequence

from aiohttp import web

from email_consumer.core.metrics import Metrics
from email_consumer.web.api_keys import API_KEYS, ApiKeys, FindKey
from email_consumer.web.audit import Audit, Record
from email_consumer.web.bodies import BODIES, RequestBodies
from email_consumer.web.error_responses import ErrorResponses
from email_consumer.web.grant import Grant
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
    admits: Callable[[web.Request], Grant | None] = lambda _: None,
    find_key: FindKey = lambda _: None,
    record: Record | None = None,
    serves: Callable[[str], bool] | None = None,
    wrong_keys: WrongKeys | None = None,
) -> web.Application:
    """Build it; `operation` on each handler describes it and says which scope a key needs.

    Args:
        routes: of all packages.
        api_keys: root keys: any of them grants access to all routes.
        version: of the program, for the OpenAPI document.
        max_body: largest request body, in bytes.
        admits: other credentials that grant access, such as a browser session.
        find_key: finds the grant of a stored key.
        record: stores entries of the audit log.
        serves: whether to accept a request with this Host header; None accepts any.
        wrong_keys: records requests with a wrong key.
    """
    bodies = RequestBodies()
    checks = [known_hosts(serves)] if serves else []
    audit = Audit(record)
    keys = ApiKeys(api_keys, admits, wrong_keys or WrongKeys(Metrics()), find=find_key, audit=audit)
    middlewares = [ErrorResponses().middleware, *checks, plain_targets, keys.middleware, audit.middleware]
    middlewares.append(bodies.middleware)
    app = web.Application(middlewares=middlewares, client_max_size=max_body)
    app[BODIES] = bodies
    app[API_KEYS] = keys
    routes = list(routes)
    app.add_routes([*routes, document_route(routes, version)])
    return app
