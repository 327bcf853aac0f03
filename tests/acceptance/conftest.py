"""The whole product on real parts: nats-server and daemon as processes; the sandbox and an upstream publisher in ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ses_sandbox.testing import Control, SandboxTask
from tests.acceptance.publisher import JetStreamPublisher, Publisher, SqsPublisher, emptied
from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer
from tests.servers.sqs import SqsServer
from tests.waiting import PATIENCE

over_both_sources = pytest.mark.parametrize("harness", ["nats", "sqs"], indirect=True)
"""For what must hold whatever the source; other tests run on NATS."""


@dataclass
class DaemonHarness:
    """A daemon and its surroundings: source, SES, publisher."""

    directory: Path
    nats: NatsServer
    """Not running where mail comes from SQS."""
    sandbox: Control
    publisher: Publisher
    variables: dict[str, str] = field(default_factory=dict)

    def daemon(self, **variables: object) -> Daemon:
        """A daemon with these surroundings; a second one with the same ledger takes over from the first."""
        given = {name: str(value) for name, value in variables.items()}
        return Daemon(self.directory / "daemon", self.variables | given)

    async def sent(self) -> dict[str, int]:
        """How often each uuid reached SES."""
        return dict((await self.sandbox.get("/messages/uuids"))["uuids"])

    async def wait_sent(self, count: int) -> None:
        """Until SES has accepted so many mails."""
        answer = await self.sandbox.get("/messages/wait", count=count, timeout=PATIENCE)
        assert answer["reached"], answer

    async def emptied(self) -> None:
        """Until every message is settled for good."""
        await emptied(self.publisher)

    async def fault(self, *, times: int | None = 1, match: dict[str, str] | None = None, **action: object) -> int:
        """Script a fault; its id."""
        answer = await self.sandbox.post("/sandbox/faults", {"times": times, "match": match or {}, "action": action})
        return int(answer["id"])

    async def struck(self, fault: int, hits: int = 1) -> None:
        """Until the fault has struck so often."""
        answer = await self.sandbox.get(f"/sandbox/faults/{fault}/wait", hits=hits, timeout=PATIENCE)
        assert answer["reached"], answer

    async def heal(self) -> None:
        """No more faults."""
        await self.sandbox.delete("/sandbox/faults")


@pytest.fixture
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DaemonHarness]:
    source = getattr(request, "param", "nats")
    nats = NatsServer(tmp_path / "nats")
    # Requested by name, so that tests on NATS need no SQS server.
    surroundings = _sqs(request.getfixturevalue("sqs_server")) if source == "sqs" else _jetstream(nats)
    async with SandboxTask(tmp_path / "sandbox") as sandbox, surroundings as (publisher, variables):
        variables |= {
            "AWS_ENDPOINT_URL_SESV2": sandbox.url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
            "SERVER_PORT": "0",
            "SES_RATE_PER_SEC": "2000",
            "RETRY_DELAY": "0.2",
            "IN_DOUBT_GRACE": "0",
        }
        yield DaemonHarness(tmp_path, nats, sandbox, publisher, variables)


@asynccontextmanager
async def _jetstream(nats: NatsServer) -> AsyncIterator[tuple[Publisher, dict[str, str]]]:
    async with nats:
        publisher = await JetStreamPublisher.connect(nats.url)
        yield publisher, {"NATS_URL": nats.url}
        await publisher.close()


@asynccontextmanager
async def _sqs(server: SqsServer) -> AsyncIterator[tuple[Publisher, dict[str, str]]]:
    mail, dead = await server.create_queue_with_dead_letters("mail")
    # Nothing listens at that NATS_URL: with SQS alone nobody may ask for it.
    variables = {"SOURCE": "sqs", "SQS_QUEUE_URL": mail.url, "AWS_ENDPOINT_URL_SQS": server.url}
    yield SqsPublisher(mail, dead), variables | {"NATS_URL": "nats://127.0.0.1:1"}
