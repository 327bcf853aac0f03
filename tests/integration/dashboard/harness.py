"""A sidecar that has nothing but the page, and a browser that is played."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from email_consumer.dashboard.page import PageRoutes
from email_consumer.dashboard.session_routes import Installation, SessionRoutes
from email_consumer.dashboard.sessions import Sessions
from email_consumer.web.app import create_app
from email_consumer.web.routing import operation
from email_consumer.web.security_headers import add_security_headers
from email_consumer.web.server import Server

KEY = "dashboard-key"
HERE = Installation(local=False, safe_mode="off", timezone="Asia/Seoul")


@dataclass
class DashboardHarness:
    """`ask` sends exactly what it is given, and keeps no cookies."""

    url: str
    session: aiohttp.ClientSession
    sessions: Sessions
    seconds: list[float] = field(default_factory=lambda: [0.0])

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    async def ask(self, method: str, path: str, **headers: str) -> tuple[int, Any, Any]:
        """Status, body (JSON or text) and headers; a header's name is given with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.url + path, headers=named) as answer:
            body = await answer.json() if answer.content_type == "application/json" else await answer.text()
            return answer.status, body, answer.headers

    async def status(self, method: str, path: str, **headers: str) -> int:
        return (await self.ask(method, path, **headers))[0]

    async def log_in(self, **headers: str) -> str:
        """The `Cookie` header from then on."""
        status, _, answered = await self.ask("POST", "/v1/session", X_API_KEY=KEY, **headers)
        assert status == 200
        return str(answered["Set-Cookie"]).partition(";")[0]


@operation("Something protected")
async def _protected(_: web.Request) -> web.Response:
    return web.json_response({"done": True})


@asynccontextmanager
async def run_harness(keys: tuple[str, ...] = (KEY,), *, public: bool = False) -> AsyncIterator[DashboardHarness]:
    seconds = [0.0]
    sessions = Sessions(clock=lambda: seconds[0])
    routes = [
        *PageRoutes().routes(),
        *SessionRoutes(sessions, HERE, public=public, key_set=bool(keys)).routes(),
        web.get("/v1/thing", _protected),
        web.post("/v1/thing", _protected),
    ]
    app = create_app(routes, keys, version="1", admits=sessions.admits)
    app.on_response_prepare.append(add_security_headers)
    async with (
        Server(app, 0, host="127.0.0.1") as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield DashboardHarness(f"http://127.0.0.1:{server.port}", session, sessions, seconds)
