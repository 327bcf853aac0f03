"""The only place that builds the parts and hands them to each other; starts and drains them in the data's order."""

import asyncio
import json
import time
from collections.abc import Coroutine
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.admission.breaker import Breaker
from email_consumer.admission.gate import Gate
from email_consumer.admission.pacer import Pacer
from email_consumer.in_hand import InHand
from email_consumer.intake.connection import close, connect
from email_consumer.intake.connection_faults import NatsConnectError
from email_consumer.intake.dead_letters import DeadLetters
from email_consumer.intake.jetstream import JetStreamIntake
from email_consumer.intake.tenancy import Tenancy, TenancyLostError
from email_consumer.intake.topology import Topology, TopologyError
from email_consumer.ledger.decision import Inheritance, Policy
from email_consumer.ledger.sqlite import SqliteLedger
from email_consumer.meters import Meters
from email_consumer.nats_endpoint import nats_endpoint
from email_consumer.observe import loop_lag, rate_line
from email_consumer.pipeline import Pipeline
from email_consumer.ses.client import SesClient
from email_consumer.ses.governor import Governor
from email_consumer.ses.session import MissingCredentialsError
from email_consumer.settings import Settings
from email_consumer.settlement import Settlement
from email_consumer.signals import stop_event
from email_consumer.slots import Slots
from email_consumer.store.database import StoreError, open_database
from email_consumer.store.facts import keep_fact, set_fact

_CLOSE_TIMEOUT = 2.0

_log = structlog.get_logger(__name__)


class ConnectionLostError(Exception):
    """The NATS server will have no more to do with us; a restart may help, waiting won't."""


class DaemonError(Exception):
    """The daemon can't start or go on; the text tells in plain words what to mend."""


async def run(settings: Settings, *, local: bool = False) -> None:
    """Send mail until SIGTERM or SIGINT, then drain.

    Raises:
        DaemonError: something it needs isn't there, or another one has taken over.
    """
    with stop_event() as stop:
        async with AsyncExitStack() as stack:
            if settings.sentry_dsn:
                stack.enter_context(_sentry(settings.sentry_dsn.get_secret_value(), settings.instance))
            daemon = await _unless(stop, _build(settings, stack))
            if daemon is None:
                return
            _log.info("daemon.started", local=local, **settings.public())
            try:
                await daemon.run(stop)
            except* (TenancyLostError, ConnectionLostError) as lost:
                raise DaemonError(str(lost.exceptions[0])) from None
            _log.info("daemon.stopped")


async def _unless(stop: asyncio.Event, building: Coroutine[None, None, "_Daemon"]) -> "_Daemon | None":
    """The daemon, or None where a signal came first."""
    built, stopped = asyncio.create_task(building), asyncio.create_task(stop.wait())
    await asyncio.wait([built, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not built.done():
        built.cancel()
        await asyncio.wait([built])
        return None
    try:
        return built.result()
    except (NatsConnectError, TopologyError, StoreError, MissingCredentialsError) as error:
        raise DaemonError(str(error)) from error
    except (NatsError, TimeoutError) as error:
        raise DaemonError(f"JetStream gave no answer: {error!r}") from error


@dataclass(frozen=True, slots=True)
class _Daemon:
    """The running parts, and the order in which they end."""

    tenancy: Tenancy
    governor: Governor
    meters: Meters
    lost: asyncio.Future[None]
    """Fails when the connection to NATS is closed for good."""
    intake: JetStreamIntake
    pacer: Pacer
    in_hand: InHand
    client: Client
    grace: float

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self.in_hand.keep_alive(), name="heartbeat"),
                tasks.create_task(self.tenancy.keep(), name="tenancy"),
                tasks.create_task(_await(self.lost), name="connection"),
                tasks.create_task(self.governor.run(), name="governor"),
                tasks.create_task(rate_line.report(self.meters), name="rate line"),
                tasks.create_task(loop_lag.measure(self.meters), name="loop lag"),
            ]
            tasks.create_task(self.intake.run(), name="intake")
            await stop.wait()
            await self._drain()
            for task in beside:
                task.cancel()

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
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    client = await connect(nats_endpoint(settings), on_lost=lambda error: _fail(lost, error))
    stack.push_async_callback(close, client)
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
    tenancy = Tenancy(
        client,
        stream=settings.stream,
        consumer=settings.consumer,
        ledger=await keep_fact(database, "ledger", lambda: uuid4().hex),
        replicas=settings.nats_replicas,
    )
    if await tenancy.acquire():
        delivered = await topology.delivered()
        await set_fact(database, "inheritance", json.dumps([delivered, time.time()]))
    stack.push_async_callback(tenancy.release)
    inheritance = Inheritance(*json.loads(await keep_fact(database, "inheritance", lambda: "[0, 0]")))
    gate = Gate()
    ledger = SqliteLedger(
        database, gate.check, _policy(settings), inheritance=inheritance, valid_until=lambda: tenancy.valid_until
    )
    await stack.enter_async_context(ledger.running())
    pacer = Pacer(settings.ses_rate_per_sec, meters)
    slots = Slots(0)
    pace = _Pace(pacer, slots, settings.concurrency_limit)
    pace.set_rate(settings.ses_rate_per_sec)
    governor = Governor(rate=settings.ses_rate_per_sec, pace=pace, meters=meters, account=sender.account)
    await governor.look()
    pipeline = Pipeline(
        ledger=ledger,
        admission=gate,
        pace=pacer,
        compose=lambda message, _: message,
        sender=sender,
        watchers=(Breaker(pacer), governor),
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
    return _Daemon(tenancy, governor, meters, lost, intake, pacer, in_hand, client, settings.shutdown_grace)


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


@dataclass(frozen=True, slots=True)
class _Pace:
    """The pacer, and with it how much is taken in hand: about two seconds' worth, so that nothing ages here."""

    pacer: Pacer
    slots: Slots
    concurrency: int

    def set_rate(self, rate: float) -> None:
        self.pacer.set_rate(rate)
        self.slots.resize(min(self.concurrency, max(16, round(2 * rate))))

    def hold(self, holder: str, reason: str) -> None:
        self.pacer.hold(holder, reason)

    def resume(self, holder: str) -> None:
        self.pacer.resume(holder)


def _sentry(dsn: str, instance: str) -> AbstractContextManager[None]:
    from email_consumer.observe import sentry  # noqa: PLC0415 - a third of a second that only its users should wait

    return sentry.reporting(dsn, release=f"email-consumer@{version('email-consumer')}", environment=instance)


async def _await(future: "asyncio.Future[None]") -> None:
    await future


def _fail(lost: "asyncio.Future[None]", error: Exception) -> None:
    if not lost.done():
        lost.set_exception(ConnectionLostError(f"NATS closed the connection for good: {error}"))
