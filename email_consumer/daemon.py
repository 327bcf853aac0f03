"""The only place that builds the parts and hands them to each other; starts and drains them in the data's order."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.admission.breaker import Breaker
from email_consumer.admission.gate import Gate
from email_consumer.admission.pacer import Pacer
from email_consumer.in_hand import InHand
from email_consumer.intake.connection import connect
from email_consumer.intake.connection_faults import NatsConnectError
from email_consumer.intake.dead_letters import DeadLetters
from email_consumer.intake.jetstream import JetStreamIntake
from email_consumer.intake.topology import Topology, TopologyError
from email_consumer.ledger.decision import Policy
from email_consumer.ledger.sqlite import SqliteLedger
from email_consumer.meters import Meters
from email_consumer.nats_endpoint import nats_endpoint
from email_consumer.pipeline import Pipeline
from email_consumer.ses.client import SesClient
from email_consumer.ses.session import MissingCredentialsError
from email_consumer.settings import Settings
from email_consumer.settlement import Settlement
from email_consumer.signals import stop_event
from email_consumer.slots import Slots
from email_consumer.store.database import StoreError, open_database

_CLOSE_TIMEOUT = 2.0

_log = structlog.get_logger(__name__)


class StartError(Exception):
    """The daemon can't start; the text tells in plain words what to mend."""


async def run(settings: Settings, *, local: bool = False) -> None:
    """Send mail until SIGTERM or SIGINT, then drain.

    Raises:
        StartError: something it needs isn't there.
    """
    with stop_event() as stop:
        async with AsyncExitStack() as stack:
            try:
                daemon = await _build(settings, stack)
            except (NatsConnectError, TopologyError, StoreError, MissingCredentialsError) as error:
                raise StartError(str(error)) from error
            _log.info("daemon.started", local=local, **settings.public())
            await daemon.run(stop)
            _log.info("daemon.stopped")


@dataclass(frozen=True, slots=True)
class _Daemon:
    """The running parts, and the order in which they end."""

    intake: JetStreamIntake
    pacer: Pacer
    in_hand: InHand
    client: Client
    grace: float

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            heartbeat = tasks.create_task(self.in_hand.keep_alive(), name="heartbeat")
            tasks.create_task(self.intake.run(), name="intake")
            await stop.wait()
            await self._drain()
            heartbeat.cancel()

    async def _drain(self) -> None:
        await self.intake.stop()  # nothing more is taken in hand
        self.pacer.close()  # who still waits for a turn goes back to the stream
        left = await self.in_hand.drain(self.grace)  # requests under way get their answer, and it is recorded
        if left:
            _log.warning("daemon.gave_up_waiting", deliveries=left, hint="they are in doubt now; the ledger knows them")
        try:
            await self.client.flush(timeout=int(_CLOSE_TIMEOUT))
        except (NatsError, TimeoutError) as error:
            _log.warning("daemon.acks_not_flushed", error=repr(error), hint="the ledger knows what was sent")


async def _build(settings: Settings, stack: AsyncExitStack) -> _Daemon:
    meters = Meters()
    sender = await stack.enter_async_context(_sender(settings))
    database = await stack.enter_async_context(open_database(settings.db_path))
    client = await connect(nats_endpoint(settings))
    stack.push_async_callback(client.close)
    topology = Topology(
        client,
        stream=settings.stream,
        subject=settings.subject,
        consumer=settings.consumer,
        ack_wait=settings.ack_wait,
        concurrency=settings.concurrency_limit,
        replicas=settings.nats_replicas,
    )
    await topology.ensure()
    dead_letters = DeadLetters(
        client, stream=settings.stream, subject=settings.subject, replicas=settings.nats_replicas
    )
    gate = Gate()
    ledger = SqliteLedger(database, gate.check, _policy(settings))
    await stack.enter_async_context(ledger.running())
    pacer = Pacer(settings.ses_rate_per_sec, meters)
    slots = Slots(_capacity(settings.concurrency_limit, settings.ses_rate_per_sec))
    pipeline = Pipeline(
        ledger=ledger,
        admission=gate,
        pace=pacer,
        compose=lambda message, _: message,
        sender=sender,
        watchers=(Breaker(pacer),),
        settlement=Settlement(ledger, dead_letters, meters, settings.retry_delay),
        meters=meters,
        max_attempts=settings.max_attempts,
        zone=ZoneInfo(settings.timezone),
    )
    in_hand = InHand(pipeline.handle, slots, meters, settings.ack_wait / 3)
    intake = JetStreamIntake(
        client,
        stream=settings.stream,
        consumer=settings.consumer,
        slots=slots,
        start=in_hand.start,
        repair=topology.ensure,
    )
    return _Daemon(intake, pacer, in_hand, client, settings.shutdown_grace)


def _sender(settings: Settings) -> SesClient:
    return SesClient(
        region=settings.aws_region,
        endpoint=settings.ses_endpoint,
        concurrency=settings.concurrency_limit,
        from_email=settings.from_email,
        configuration_set=settings.configuration_set,
        instance=settings.instance,
        read_timeout=settings.ses_timeout,
    )


def _policy(settings: Settings) -> Policy:
    return Policy(settings.idempotency_ttl, settings.in_doubt, settings.in_doubt_grace, settings.max_attempts)


def _capacity(concurrency: int, rate: float) -> int:
    """Deliveries in hand: what can be sent in about two seconds, so that nothing ages here that others could send."""
    return min(concurrency, max(16, round(2 * rate)))
