"""The product on real parts, with the feedback loop closed and mail coming in all the time, for a browser to look at.

It lives in a thread of its own, since the driver of the browser blocks, and what the daemon says has to be read.
"""

import asyncio
import itertools
import shutil
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from nats.errors import Error as NatsError

from ses_sandbox.testing import SandboxTask
from tests.acceptance.publisher import JetStreamPublisher, as_map
from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.waiting import PATIENCE

KEY = "browser-key"
REGION = "ap-northeast-2"
SENDER = "Example & Söhne"
RAMPED = "ramped.example"
"""A sender domain whose ramp has not begun."""
LOAD = 10
"""Mails a second of the load."""
_ACKNOWLEDGED = 1
"""Seconds until the load goes on without the server's answer: a server that is killed gives none."""

Answer = TypeVar("Answer")


@dataclass
class BrowserHarness:
    """`do` runs what is asynchronous."""

    loop: asyncio.AbstractEventLoop
    url: str
    nats: NatsServer
    sandbox: SandboxTask
    daemon: Daemon
    publisher: JetStreamPublisher
    session: aiohttp.ClientSession

    def do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def publish(self, payloads: Iterable[bytes]) -> None:
        """Each stored when this returns."""
        self.do(self.publisher.publish(payloads))

    def fault(self, match: dict[str, str], times: int | None = 1, **action: object) -> None:
        """Script the sandbox."""
        self.do(self.sandbox.post("/sandbox/faults", {"times": times, "match": match, "action": action}))

    def reject(self, to: str, message: str) -> None:
        """Let SES refuse a mail to this address, once."""
        self.fault({"to": to}, kind="error", code="MessageRejected", message=message)

    def heal(self) -> None:
        """No more faults."""
        self.do(self.sandbox.delete("/sandbox/faults"))

    def account(self, **change: object) -> None:
        """Change what SES says of the account."""
        self.do(self.sandbox.put("/sandbox/account", change))

    def sent(self, uuid: str) -> int:
        """How often it reached SES; of uuids that SES's tags can carry."""
        return int(dict(self.do(self.sandbox.get("/messages/uuids"))["uuids"]).get(uuid, 0))

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON answer of the sidecar."""

        async def call() -> Any:
            async with self.session.request(method, self.url + path, json=body) as response:
                return await response.json() if response.content_type == "application/json" else None

        return self.do(call())


@contextmanager
def run_harness(directory: Path, *, filled: Path | None = None, **variables: object) -> Iterator[BrowserHarness]:
    """Until the block ends; `filled` is a database that the daemon begins with a copy of."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="harness")
    thread.start()
    stack = AsyncExitStack()

    def do(work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)

    if filled:
        (directory / "daemon" / "data").mkdir(parents=True)
        shutil.copy(filled, directory / "daemon" / "data" / "email.db")
    try:
        yield do(stack.enter_async_context(_running(directory, loop, variables)))
    finally:
        do(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def _running(
    directory: Path, loop: asyncio.AbstractEventLoop, variables: dict[str, object]
) -> AsyncIterator[BrowserHarness]:
    [port] = free_ports(1)  # a restart of the daemon asks for the same again
    url = f"http://127.0.0.1:{port}"
    sandbox = SandboxTask(directory / "sandbox", events_to=f"{url}/v1/events/results", event_retry_delay=0.5)
    async with NatsServer(directory / "nats") as nats, sandbox, aiohttp.ClientSession() as session:
        session.headers["X-API-KEY"] = KEY
        daemon = Daemon(
            directory / "daemon",
            {
                "NATS_URL": nats.url,
                "AWS_ENDPOINT_URL_SESV2": sandbox.url,
                "AWS_ENDPOINT_URL_SNS": sandbox.url,
                "AWS_ACCESS_KEY_ID": "sandbox",
                "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
                "SNS_TOPIC_ARNS": f"arn:aws:sns:{REGION}:000000000000:ses-events",
                "SANDBOX_CERTIFICATE": str(directory / "sandbox" / "sns-certificate.pem"),
                "API_KEY": KEY,
                "SERVER_PORT": str(port),
                "SES_RATE_PER_SEC": "500",
                "RAMP": f"{RAMPED}:2090-01-01",
                "EVENTS_OUT": "webhooks",
                "WEBHOOK_ALLOW_PRIVATE": "true",
                "RETRY_DELAY": "0.2",
                "IN_DOUBT_GRACE": "15",  # a receipt is final once nothing before it is in doubt either
                "ACK_WAIT": "2",  # unsettled mail of a killed daemon is redelivered soon
                **{name: str(value) for name, value in variables.items()},
            },
        )
        publisher = await JetStreamPublisher.connect(nats.url)
        async with daemon:
            load = asyncio.create_task(_load(publisher))
            yield BrowserHarness(loop, url, nats, sandbox, daemon, publisher, session)
            load.cancel()
            await asyncio.wait([load])
        await publisher.close()


async def _load(publisher: JetStreamPublisher) -> None:
    """Mail of one topic, all the time; what can't be stored meanwhile is not missed."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    for number in itertools.count():
        due = max(due + 1 / LOAD, loop.time())
        await asyncio.sleep(due - loop.time())
        with suppress(TimeoutError, NatsError):
            async with asyncio.timeout(_ACKNOWLEDGED):
                await publisher.publish([as_map(f"load-{number}", topic_id="load")])
