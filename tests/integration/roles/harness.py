"""Roles in the test's own process, on a real nats-server and the sandbox, and what they say at `/ready`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgpack
from nats.aio.client import Client
from nats.js.errors import APIError

from email_consumer.jetstream.api import ask
from email_consumer.roles.options import RoleOptions, role_options
from email_consumer.roles.process import Build
from email_consumer.roles.run import build_run
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.runtime.tasks import end
from email_consumer.settings import load_settings
from ses_sandbox.testing import SandboxTask
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports

KEY = "0123456789abcdef"
_PATIENCE = 60


@dataclass
class RolesHarness:
    """`url` is that of the role that was started last."""

    directory: Path
    nats: NatsServer
    sandbox: SandboxTask
    client: Client
    session: aiohttp.ClientSession
    roles: AsyncExitStack
    """Ends the roles."""
    mess: AsyncExitStack
    """Is cleared up before they end."""
    url: str = ""
    started: int = 0
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """Of the role that was started last."""
        return self.directory / f"email-{self.started}.db"

    async def start(self, build: Build = build_run, **variables: object) -> None:
        """Until it is built; what it does from then on, it does in the background."""
        services = await self.roles.enter_async_context(Supervisor())
        await build(self._next(variables), services)
        await self.roles.enter_async_context(_running(services))

    async def start_well(self, build: Build = build_run, **variables: object) -> None:
        """Until it says that mail can flow."""
        await self.start(build, **variables)
        async with asyncio.timeout(_PATIENCE):
            while not (await self.ready())["ready"]:  # noqa: ASYNC110 - nothing but asking tells
                await asyncio.sleep(0.05)

    async def launch(self, build: Build = build_run, **variables: object) -> None:
        """Without waiting for anything: it is not to come far."""
        services = await self.roles.enter_async_context(Supervisor())
        building = asyncio.ensure_future(build(self._next(variables), services))
        self.mess.push_async_callback(end, building)

    def _next(self, variables: dict[str, object]) -> RoleOptions:
        self.started += 1
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        own = {"DB_PATH": self.database, "SERVER_PORT": port}
        given = self.variables | {name: str(value) for name, value in (own | variables).items()}
        return role_options(load_settings(given))

    async def ready(self) -> dict[str, Any]:
        async with self.session.get(f"{self.url}/ready") as answer:
            state: dict[str, Any] = await answer.json()
            assert answer.status == (200 if state["ready"] else 503)
            return state

    async def wait_named(self, check: str, reason: str) -> None:
        """Until `/ready` says that the check fails for this reason."""
        state: object = None
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    try:
                        state = await self.ready()
                    except aiohttp.ClientConnectionError as error:
                        state = error
                    else:
                        if state["reasons"].get(check, "").startswith(reason):
                            return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not named {check}: {reason}, but {state}") from None

    async def publish(self, *uuids: str) -> None:
        for uuid in uuids:
            mail = {"uuid": uuid, "email": "you@example.com", "subject": "s", "body": "b"}
            await self.client.jetstream().publish("messages.email", msgpack.packb(mail))

    async def post(self) -> None:
        """Mail by the API."""
        mail = {"emails": ["you@example.com"], "subject": "s", "content": "b"}
        headers = {"X-API-KEY": KEY}
        async with self.session.post(f"{self.url}/v1/messages", json={"messages": [mail]}, headers=headers) as answer:
            assert answer.status == 200

    async def fault(self, *, match: dict[str, str] | None = None, **action: object) -> None:
        """Whatever SES is asked, or of mail that matches."""
        await self.sandbox.post("/sandbox/faults", {"times": None, "match": match or {}, "action": action})

    async def limit(self, stream: str, **limits: int) -> None:
        """As an operator does."""
        jetstream = self.client.jetstream()
        await jetstream.update_stream((await jetstream.stream_info(stream)).config.evolve(**limits))

    async def change_consumer(self, **config: object) -> None:
        found = (await ask(self.client, "CONSUMER.INFO.messages.email-processor"))["config"]
        question = {"stream_name": "messages", "config": found | config, "action": "update"}
        await ask(self.client, "CONSUMER.DURABLE.CREATE.messages.email-processor", question)

    async def replace_consumer(self, **config: object) -> None:
        """By another one of its name."""
        name = "messages.email-processor"
        found = (await ask(self.client, f"CONSUMER.INFO.{name}"))["config"]
        question = {"stream_name": "messages", "config": found | config, "action": "create"}
        while True:
            await ask(self.client, f"CONSUMER.DELETE.{name}")
            try:
                await ask(self.client, f"CONSUMER.DURABLE.CREATE.{name}", question)
            except APIError:  # the daemon was faster
                continue
            return


@asynccontextmanager
async def _running(services: Supervisor) -> AsyncIterator[None]:
    stop = asyncio.Event()
    serving = asyncio.create_task(services.run(stop))
    try:
        yield
    finally:
        stop.set()
        await serving
