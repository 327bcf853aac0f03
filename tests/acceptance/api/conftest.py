"""The whole daemon, spoken to over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests.acceptance.conftest import DaemonHarness
from tests.servers.daemon import Daemon

KEY = "acceptance"


@dataclass
class Api:
    """A daemon and its HTTP side."""

    harness: DaemonHarness
    daemon: Daemon
    session: aiohttp.ClientSession

    @property
    def port(self) -> int:
        """Of the daemon's present life."""
        (*_, line) = (line for line in self.daemon.log if line.get("event") == "sidecar.listening")
        return int(line["port"])

    async def ask(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, Any]:
        """Status and JSON answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, json=body, **options) as response:
            return response.status, await response.json()

    async def mail(self, uuid: str) -> Any:
        """What is known of one mail; its status is empty until there is something."""
        status, answer = await self.ask("GET", f"/v1/messages/{uuid}")
        return answer if status == 200 else {"status": ""}

    async def text(self, path: str) -> str:
        """The body of an answer."""
        async with self.session.get(f"http://127.0.0.1:{self.port}{path}") as response:
            return await response.text()

    async def post(self, *messages: dict[str, Any], **fields: Any) -> Any:
        status, answer = await self.ask("POST", "/v1/messages", {"messages": messages, **fields})
        assert status == 200, answer
        return answer


@asynccontextmanager
async def serving(harness: DaemonHarness, *keys: str, **variables: object) -> AsyncIterator[Api]:
    """A daemon with one key, or with `keys`; the session brings the first."""
    keys = keys or (KEY,)
    async with (
        harness.daemon(API_KEY=",".join(keys), **variables) as daemon,
        aiohttp.ClientSession(headers={"X-API-KEY": keys[0]}) as session,
    ):
        yield Api(harness, daemon, session)


@pytest.fixture
async def api(harness: DaemonHarness) -> AsyncIterator[Api]:
    async with serving(harness) as served:
        yield served


def many(count: int) -> list[str]:
    return [f"user{number}@example.com" for number in range(count)]
