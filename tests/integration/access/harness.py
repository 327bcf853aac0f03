"""A sidecar that has keys, the audit log, and routes to try them on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from aiohttp import web

from email_consumer.access.audit_log import AuditLog
from email_consumer.access.audit_routes import AuditRoutes
from email_consumer.access.key_routes import KeyRoutes
from email_consumer.access.keys import Keys
from email_consumer.api.mail_store import MailStore
from email_consumer.api.message_routes import MessageRoutes
from email_consumer.core.metrics import Metrics
from email_consumer.dashboard.session_routes import SessionRoutes
from email_consumer.dashboard.sessions import Sessions
from email_consumer.store.database import Database, open_database
from email_consumer.web.app import create_app
from email_consumer.web.grant import Scope
from email_consumer.web.routing import operation
from email_consumer.web.server import Server
from tests.integration.dashboard.harness import HERE

ROOT_KEY = "root-key"
UTC = ZoneInfo("UTC")


@operation("Something to look at", scope=Scope.READ)
async def _look(_: web.Request) -> web.Response:
    return web.json_response({})


@operation("Something to change", scope=Scope.ADMIN)
async def _change(_: web.Request) -> web.Response:
    return web.json_response({})


async def _not_described(_: web.Request) -> web.Response:
    return web.json_response({})


@dataclass
class AccessHarness:
    database: Database
    keys: Keys
    log: AuditLog
    port: int
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = ROOT_KEY, **headers: str
    ) -> tuple[int, Any]:
        """Status and answer; a header's name is given with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["X-API-KEY"] = key
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, json=body, headers=named) as response:
            text = await response.text()
            return response.status, await response.json() if response.content_type == "application/json" else text

    async def add(self, *scopes: str, name: str = "a key", more: Mapping[str, object] | None = None) -> dict[str, Any]:
        """A new key, as its answer shows it."""
        status, answer = await self.ask("POST", "/v1/keys", {"name": name, "scopes": scopes, **(more or {})})
        assert status == 200, answer
        return dict(answer)

    async def actions(self, **query: str) -> list[tuple[str, str, str, int]]:
        """Key, action, target and status of what was done, latest first."""
        _, answer = await self.ask("GET", "/v1/audit?" + "&".join(f"{name}={value}" for name, value in query.items()))
        return [(each["key_id"], each["action"], each["target"], each["status"]) for each in answer["actions"]]


@asynccontextmanager
async def access(path: Path) -> AsyncIterator[AccessHarness]:
    async with open_database(path) as database:
        keys, log = Keys(database), AuditLog(database, 86_400.0)
        await keys.load()
        sessions = Sessions(current=keys.current)
        messages = MessageRoutes(
            MailStore(database, 3600),
            Metrics(),
            zone=UTC,
            max_payload=lambda: 2**20,
            stored=lambda: None,
            default_sender="no-reply@example.com",
        )
        routes = [
            *KeyRoutes(keys).routes(),
            *AuditRoutes(log, UTC).routes(),
            *messages.routes(),
            *SessionRoutes(sessions, HERE, public=False, key_set=True).routes(),
            web.get("/v1/things", _look),
            web.delete("/v1/things/{name}", _change),
            web.get("/v1/others", _not_described),
        ]
        app = create_app(routes, [ROOT_KEY], version="1", admits=sessions.admits, find_key=keys.find, record=log.record)
        async with (
            Server(app, 0, host="127.0.0.1") as server,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            yield AccessHarness(database, keys, log, server.port, session)
