"""Everything in one world: the installation, what it talks to, and its disk."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from email_consumer.core.mail_queue import ORIGIN
from email_consumer.message.address import normal_form
from email_consumer.message.lane import Lane
from email_consumer.message.model import UndecodableError, decode
from email_consumer.store.database import open_database
from tests.simulation import seams
from tests.simulation.claims import Claims
from tests.simulation.deliveries import Deliveries
from tests.simulation.installation import Installation, Member
from tests.simulation.jetstream.environment import seconds
from tests.simulation.jetstream.message import StoredMessage
from tests.simulation.jetstream.network import Network
from tests.simulation.jetstream.server import Server
from tests.simulation.mails import INSTANCE, History
from tests.simulation.planted import planted
from tests.simulation.releases import Releases
from tests.simulation.ses.service import Ses
from tests.simulation.sns.endpoints import Receivers, trusted_signatures
from tests.simulation.sns.topic import TOPIC, Sns
from tests.simulation.sqlite import Storage
from tests.simulation.steps import Steps
from tests.simulation.traffic import KEY, Traffic
from tests.simulation.turns import Turns
from tests.simulation.world import World

STREAM, SUBJECT, CONSUMER = "messages", "messages.email", "email-processor"
SUBJECTS = {Lane.BULK: SUBJECT, Lane.TRANSACTIONAL: f"{STREAM}.transactional"}
TRANSACTIONAL_CONSUMER = f"{CONSUMER}-transactional"
_MEMORY = Path("/dev/shm")  # noqa: S108 - the name below it is random


class Site:
    """What a scenario works with."""

    def __init__(self, world: World, directory: Path, environ: dict[str, str], roles: dict[str, str]) -> None:
        """`environ`: settings of all members; `roles`: by name of the member."""
        self.world = world
        self.directory = directory
        self.history = History()
        self.storage = Storage(world)
        self.server = Server(world)
        self.network = Network(world, self.server)
        self.ses = Ses(world)
        self.sns = Sns(world, self.ses)
        self.steps = Steps(world)
        self.checked_at = 0.0
        self._readers: list[sqlite3.Connection] = []
        self.crashes: list[str] = []
        self.claims = Claims(world)
        self.releases = Releases(world, float(environ["SES_RATE_PER_SEC"]))
        self.turns = Turns(world, float(environ.get("BULK_FLOOR", "0.05")))
        self.deliveries = Deliveries(self, STREAM)
        common = {
            "STREAM": STREAM,
            "SUBJECT": SUBJECT,
            "CONSUMER": CONSUMER,
            "INSTANCE": INSTANCE,
            "API_KEY": KEY,
            "FROM_EMAIL": "shop@example.com",
            "SNS_TOPIC_ARNS": TOPIC,
            "REPUTATION_POLL": "0",  # the modelled SES has no tenants
        }
        members = [
            Member(name, role, common | environ | {"DB_PATH": str(self._database(name, role))})
            for name, role in roles.items()
        ]
        self.databases = [Path(member.environ["DB_PATH"]) for member in members if member.role in {"run", "sidecar"}]
        """The files of those that have one: a sidecar, or each `run`."""
        self.installation = Installation(world, members)
        self.receivers = Receivers(self.installation.http)
        self.sns.endpoint = self.receivers
        self.traffic = Traffic(world, self.history, self.installation, self._store, SUBJECTS)

    @property
    def separate(self) -> bool:
        """Whether there are several ledgers, of which one after the other has the consumer."""
        return len(self.databases) > 1

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """What the tables hold; those of all files, one after the other."""
        if not self._readers:
            self._readers = [sqlite3.connect(path) for path in self.databases]
            for reader in self._readers:
                reader.row_factory = sqlite3.Row
        return [row for reader in self._readers for row in reader.execute(sql, parameters)]

    def forgotten(self, lost: Mapping[str, Sequence[StoredMessage]]) -> None:
        """NATS has lost these messages, by stream: what a publisher alone had given it, nobody else can save."""
        mails = self.history.by_address()
        for message in lost.get(STREAM, ()):
            self.world.trace("forgotten", stream=STREAM, sequence=message.sequence)
            mail = mails.get(address_of(message.data))
            if mail and ORIGIN not in (message.headers or {}):
                stored = min(mail.stored, key=lambda at: abs(at - seconds(message.stored_at)))
                mail.stored.remove(stored)
                mail.lost.append(stored)
        self.deliveries.forgotten(lost)

    def close(self) -> None:
        """Close what was opened to look at the tables."""
        for reader in self._readers:
            reader.close()

    def _database(self, name: str, role: str) -> Path:
        return self.directory / (name if role == "run" else "data") / "email.db"

    def _store(self, subject: str, payload: bytes, headers: Any) -> int | None:
        stream = self.server.jetstream.streams.get(STREAM)
        if stream is None or not stream.has_leader or not self.server.up or stream.refusal:
            return None
        stream.publish(subject, payload, dict(headers) or None)
        return stream.storage.last

    def nats_client(self) -> Any:
        """A client for the process that runs now."""
        assert self.world.current is not None
        return self.network.client(self.world.current)


def address_of(payload: bytes) -> str:
    """The first address of a mail, in its normal form; empty if it can't be decoded."""
    try:
        return normal_form(decode(payload).email)
    except UndecodableError:
        return ""


@contextmanager
def built(
    world: World,
    environ: dict[str, str],
    roles: dict[str, str],
    *,
    tracing: bool = False,
    fault: str | None = None,
) -> Iterator[Site]:
    """A site whose processes can be started, until the block ends. `fault`: one to plant into the program."""
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="simulation-", dir=_MEMORY if _MEMORY.is_dir() else None))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        site = Site(world, directory, environ, roles)
        for path in site.databases:
            path.parent.mkdir(mode=0o700)
            path.write_bytes(_empty_database())
        stack.callback(site.close)
        stack.enter_context(planted(fault))
        stack.enter_context(
            seams.installed(
                world,
                nats_client=site.nats_client,
                open_session=site.ses.open_session,
                tracing=tracing,
                crashes=site.crashes,
                directory=directory,
            )
        )
        stack.enter_context(site.storage.installed())
        stack.enter_context(site.steps.observed())
        stack.enter_context(trusted_signatures())
        stack.enter_context(site.receivers.installed())
        stack.enter_context(site.releases.observed())
        stack.enter_context(site.turns.observed())
        stack.enter_context(site.claims.observed())
        stack.enter_context(site.deliveries.observed())
        stack.enter_context(world.running())
        yield site


@cache
def _empty_database() -> bytes:
    """A migrated file, made once: a start then costs what later starts cost."""

    async def make(path: Path) -> None:
        async with open_database(path):
            pass

    with tempfile.TemporaryDirectory(prefix="simulation-empty-") as directory:
        path = Path(directory) / "email.db"
        asyncio.run(make(path))
        return path.read_bytes()
