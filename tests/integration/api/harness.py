"""The sidecar on real parts: a nats-server with stream and consumer, a SQLite file, HTTP."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from nats.aio.client import Client

from email_consumer.api.cancellations import Cancellations
from email_consumer.api.dead_letter_routes import DeadLetterRoutes
from email_consumer.api.mail_history import MailHistory
from email_consumer.api.mail_list_routes import MailListRoutes
from email_consumer.api.mail_lists import MailLists
from email_consumer.api.mail_store import MailStore
from email_consumer.api.message_routes import MessageRoutes
from email_consumer.api.progress import ProgressReader
from email_consumer.api.statistics import Statistics
from email_consumer.api.topic_routes import TopicRoutes
from email_consumer.api.unseen import unseen_in
from email_consumer.core.dead_letter_writer import DeadLetterWriter
from email_consumer.core.ledger import Origin
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_queue import Mark
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Outcome, Stopped, StopReason
from email_consumer.core.unsent import Unsent
from email_consumer.jetstream.client import SteadyClient
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, decode
from email_consumer.runtime.supervisor import Service, supervised
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.scheduling.misfires import Misfires
from email_consumer.scheduling.publish_window import PublishWindow
from email_consumer.scheduling.scheduler import Scheduler
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.sources.jetstream.mail_queue import JetStreamQueue
from email_consumer.sources.jetstream.mail_stream import MailStream
from email_consumer.sources.jetstream.topology import Topology
from email_consumer.store.database import Database, open_database
from email_consumer.tracking.open_routes import OpenRoutes
from email_consumer.tracking.opens import OpenRecorder
from email_consumer.tracking.tokens import OpenTokens
from email_consumer.web.app import create_app
from email_consumer.web.health import HealthRoutes
from email_consumer.web.routing import ApiError
from email_consumer.web.server import Server
from tests.factories import ORIGIN
from tests.waiting import patience

KEY = "key-1"
OLD_KEY = "key-0"


@dataclass
class ApiHarness:
    """`ask` speaks HTTP with the key; `pull` is what a worker would be delivered."""

    database: Database
    client: Client
    queue: JetStreamQueue
    ledger: SqliteLedger
    scheduler: Scheduler
    metrics: Metrics
    url: str
    session: aiohttp.ClientSession
    cancelled: dict[str, Mark] = field(default_factory=dict)
    """Topics and the marks up to which they are cancelled, as passed to the gate."""
    over: Callable[[Mark], bool] = lambda _: False
    """Whether the workers may forget a cancellation, as the start told them."""

    async def ask(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, Any]:
        """Status and JSON answer."""
        async with self.session.request(method, self.url + path, json=body, **options) as response:
            return response.status, await response.json()

    async def post(self, *messages: dict[str, Any], **fields: Any) -> Any:
        status, answer = await self.ask("POST", "/v1/messages", {"messages": messages, **fields})
        assert status == 200, answer
        return answer

    async def pull(self, count: int, lane: Lane = Lane.BULK) -> list[EmailMessage]:
        """A lane's next messages of the stream, acknowledged."""
        name = "email-processor" if lane is Lane.BULK else "email-processor-transactional"
        consumer = await self.client.jetstream().pull_subscribe_bind(name, "messages")
        pulled: list[EmailMessage] = []
        async with patience():
            while len(pulled) < count:
                with suppress(TimeoutError):  # of the fetch
                    for message in await consumer.fetch(count - len(pulled), timeout=5):
                        pulled.append(decode(message.data))
                        await message.ack_sync()
        await consumer.unsubscribe()
        return pulled

    async def due(self, most: int, lane: Lane = Lane.BULK) -> list[tuple[bytes, Mapping[str, str]]]:
        """What the scheduler would publish now."""
        due = await DueMail(self.database).take(lane, most)
        return [(message.payload, message.headers) for message in due.messages]

    async def in_stream(self) -> int:
        return (await self.client.jetstream().stream_info("messages")).state.messages

    async def rows(self, columns: str = "status, count(*)", rest: str = "GROUP BY status") -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.database.fetch(f"SELECT {columns} FROM email_requests {rest}")]  # noqa: S608

    async def finish(self, message: EmailMessage, outcome: Outcome) -> None:
        """Claim and finish, as the pipeline does."""
        await self.ledger.claim(message, ORIGIN)
        await self.ledger.finish(message, outcome, ORIGIN)


@asynccontextmanager
async def running(
    directory: Path,
    nats_url: str,
    *,
    zone: str = "UTC",
    misfire: str = "send",
    window: Callable[[], PublishWindow] | None = None,
    schedule: bool = True,
    check_interval: float = 30.0,
) -> AsyncIterator[ApiHarness]:
    """With `schedule` False nothing is published; `check_interval`: seconds between two looks for what the stream lost."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(directory / "email.db"))
        client = SteadyClient()
        await client.connect(nats_url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_ignore)  # type: ignore[arg-type]
        stack.push_async_callback(client.close)
        names = {"stream": "messages", "subject": "messages.email", "consumer": "email-processor"}
        topology = Topology(
            client,
            MailStream(
                **names, ack_wait=30, concurrency=10, replicas=1, transactional_subject="messages.transactional"
            ),
        )
        await topology.ensure()
        queue = JetStreamQueue(client, **names, transactional=topology.transactional)
        cancelled: dict[str, Mark] = {}
        over: list[Callable[[Mark], bool]] = []

        def stopper(message: EmailMessage, _: Origin) -> Stopped | None:
            return Stopped(StopReason.CANCELLED) if message.topic_id in cancelled else None

        ledger = SqliteLedger(database, stopper, Policy(3600, "resend", 0, 3))
        await stack.enter_async_context(ledger.running())
        letters = JetStreamDeadLetters(client, stream="messages", subject="messages.email", replicas=1)
        misfires = Misfires(database, misfire, 5)  # type: ignore[arg-type]
        metrics = Metrics()
        unsent = Unsent(metrics)
        scheduler = Scheduler(
            DueMail(database),
            queue,
            misfires,
            letters,
            unsent,
            dead_letter_writer=DeadLetterWriter(),
            windows=window and {lane: window() for lane in Lane},
            check_interval=check_interval,
        )
        cancellations = Cancellations(
            database,
            queue,
            lambda topic, mark: cancelled.update({topic: mark}),
            scheduler.paused,
            unsent=unsent,
            claims_visible=True,
            forget=over.append,
        )
        await cancellations.load()
        unseen = unseen_in(queue, claims_visible=True)
        opens = OpenRecorder(database)
        routes = [
            *MessageRoutes(
                MailStore(database, 3600),
                metrics,
                zone=ZoneInfo(zone),
                max_payload=lambda: queue.max_payload,
                stored=scheduler.wake,
            ).routes(),
            *MailListRoutes(MailLists(database), ZoneInfo(zone)).routes(),
            *MailHistory(database, unseen).routes(),
            *TopicRoutes(Statistics(database), cancellations, ProgressReader(database, unseen)).routes(),
            *DeadLetterRoutes(letters).routes(),
            *HealthRoutes({"nats": _down_if(client), "sqlite": _nothing}, lambda _: b"email_sent_total 0\n").routes(),
            *OpenRoutes(OpenTokens(LinkSecrets("secret")), opens.record).routes(),
        ]
        server = await stack.enter_async_context(Server(create_app(routes, [OLD_KEY, KEY], version="1"), 0))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers={"X-API-KEY": KEY}))
        await stack.enter_async_context(
            supervised(Service("opens", opens.run), *([Service("scheduler", scheduler.run)] if schedule else []))
        )
        yield ApiHarness(
            database,
            client,
            queue,
            ledger,
            scheduler,
            metrics,
            f"http://127.0.0.1:{server.port}",
            session,
            cancelled,
            over[0],
        )


def _down_if(client: Client) -> Any:
    async def check() -> None:
        if not client.is_connected:
            raise ApiError(503, "down", "not connected")

    return check


async def _nothing() -> None: ...


async def _ignore(_: Exception) -> None: ...
