"""One installation on real parts, of any version of the program: its database and its JetStream store outlive it."""

import sqlite3
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
import orjson

from ses_sandbox.testing import SandboxTask
from tests.acceptance.publisher import JetStreamPublisher
from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.waiting import until

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = sorted(path.parent.name for path in FIXTURES.glob("*/run.tar.xz"))
WITH_HELD = sorted(path.parent.name for path in FIXTURES.glob("*/held-run.tar.xz"))
"""Versions whose held mail was recorded."""

Shape = Literal["run", "roles"]
SHAPES: tuple[Shape, ...] = ("run", "roles")

KEY = "a-key-of-the-upgrade-tests"
_TOPIC_ARN = "arn:aws:sns:ap-northeast-2:000000000000:ses-events"
_DECADE = 10 * 365 * 86_400


@dataclass
class Installation:
    """`run`, or a worker and a sidecar. Nothing of it runs until it is started."""

    directory: Path
    shape: Shape
    python: str | None
    nats: NatsServer
    sandbox: SandboxTask
    publisher: JetStreamPublisher
    port: int
    session: aiohttp.ClientSession

    @property
    def database(self) -> Path:
        return self.directory / "email.db"

    def daemons(self, **variables: object) -> list[Daemon]:
        """The one that has the API first."""
        given = self._variables() | {name: str(value) for name, value in variables.items()}
        if self.shape == "run":
            return [self._daemon("run", given)]
        given |= {"LEDGER": "jetstream"}
        return [self._daemon("sidecar", given), self._daemon("worker", given | {"SERVER_PORT": "0"})]

    def command(self, *words: str, **variables: object) -> Daemon:
        """One of the commands that answer, not yet started."""
        given = self._variables() | {name: str(value) for name, value in variables.items()}
        if self.shape == "roles":
            given |= {"LEDGER": "jetstream"}
        return Daemon(self.directory / "command", given, *words, python=self.python)

    async def ask(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """The JSON that the API answers."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, json=body, raise_for_status=True, **options) as answer:
            return await answer.json()

    async def unsubscribe(self, link: str) -> None:
        """As a recipient's mail program does."""
        url = f"http://127.0.0.1:{self.port}{link}"
        await self.session.post(url, data={"List-Unsubscribe": "One-Click"}, raise_for_status=True)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(sql).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Into the database, while no daemon runs."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            yield connection

    async def until(self, sql: str, *expected: object) -> None:
        """Until the query's first row is that."""

        async def reached() -> bool:
            return self.rows(sql)[:1] == [expected]

        await self.until_true(reached, sql)

    async def until_true(self, condition: Callable[[], Awaitable[object]], what: str) -> None:
        """Until it holds; `what` says what that means."""
        try:
            await until(condition)
        except TimeoutError:
            raise AssertionError(f"not reached: {what}") from None

    async def sent(self) -> dict[str, int]:
        """How often each uuid reached SES."""
        return dict((await self.sandbox.get("/messages/uuids"))["uuids"])

    def _daemon(self, role: str, variables: dict[str, str]) -> Daemon:
        return Daemon(self.directory / role, variables, role, python=self.python)

    def _variables(self) -> dict[str, str]:
        return {
            "NATS_URL": self.nats.url,
            "DB_PATH": str(self.database),
            "AWS_ENDPOINT_URL_SESV2": self.sandbox.url,
            "AWS_ENDPOINT_URL_SNS": self.sandbox.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
            "SNS_TOPIC_ARNS": _TOPIC_ARN,
            "SANDBOX_CERTIFICATE": str(self.directory / "sandbox" / "sns-certificate.pem"),
            "API_KEY": KEY,
            "SERVER_PORT": str(self.port),
            "SERVER_URL": "https://mail.example.com",
            "SES_RATE_PER_SEC": "1000",
            # A fixture is opened months and years after it was recorded.
            "IDEMPOTENCY_TTL": str(_DECADE),
            "RETENTION_DAYS": str(_DECADE // 86_400),
        }


@asynccontextmanager
async def installation(directory: Path, shape: Shape, python: str | None = None) -> AsyncIterator[Installation]:
    """In `directory`, on what lies there already."""
    [port] = free_ports(1)
    sandbox = SandboxTask(
        directory / "sandbox",
        events_to=f"http://127.0.0.1:{port}/v1/events/results",
        event_retry_delay=1,
        event_max_retries=1000,
    )
    async with (
        NatsServer(directory / "nats") as nats,
        sandbox,
        aiohttp.ClientSession(headers={"X-API-KEY": KEY}) as session,
    ):
        publisher = await JetStreamPublisher.connect(nats.url)
        try:
            yield Installation(directory, shape, python, nats, sandbox, publisher, port, session)
        finally:
            await publisher.close()


def archive_of(version: str, shape: Shape, *, held: bool = False) -> Path:
    return FIXTURES / version / f"{'held-' if held else ''}{shape}.tar.xz"


def pack(directory: Path, archive: Path, manifest: dict[str, Any]) -> None:
    """What a stopped installation leaves behind, with what is to become of it."""
    (directory / "manifest.json").write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for path in (directory / "manifest.json", *sorted(directory.glob("email.db*")), directory / "nats/jetstream"):
            if path.suffix != ".lock":
                tar.add(path, path.relative_to(directory), filter=_nobodys)


def unpack(version: str, shape: Shape, directory: Path, *, held: bool = False) -> dict[str, Any]:
    """Put a recorded installation there, or the one with held mail; its manifest."""
    with tarfile.open(archive_of(version, shape, held=held)) as tar:
        tar.extractall(directory, filter="data")
    manifest: dict[str, Any] = orjson.loads((directory / "manifest.json").read_bytes())
    return manifest


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
