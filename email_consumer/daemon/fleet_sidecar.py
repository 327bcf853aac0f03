"""The sidecar as a process of its own: the one that keeps a file, fed by the workers through JetStream."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import structlog

from email_consumer.admission.gate import Gate
from email_consumer.daemon.account_glance import glance_at_account
from email_consumer.daemon.background import Background
from email_consumer.daemon.fleet import join_ledger
from email_consumer.daemon.ground import Ground
from email_consumer.daemon.nats import NatsLink, NatsSource, connect_nats, hold
from email_consumer.daemon.operations import report_on
from email_consumer.daemon.remote_workers import RemoteWorkers
from email_consumer.daemon.role import Role
from email_consumer.daemon.sidecar import Desk, build_sidecar
from email_consumer.delivery import Delivery
from email_consumer.fleet.facts_publisher import FactsPublisher
from email_consumer.in_hand import InHand
from email_consumer.intake.jetstream import JetStreamIntake
from email_consumer.ledger.jetstream.bucket import ClaimBucket
from email_consumer.ledger.jetstream.projection import Projection
from email_consumer.ledger.jetstream.scheduling import ScheduledMail
from email_consumer.ledger.jetstream.shown_queue import ShownQueue
from email_consumer.ledger.jetstream.streams import CONSUMER, Names, deliver_again, ensure_ledger_streams
from email_consumer.meters import Meters
from email_consumer.publisher import Publisher
from email_consumer.replica.copier import Copier
from email_consumer.settings import Settings
from email_consumer.slots import Slots
from email_consumer.store.database import Database, open_database
from email_consumer.store.facts import keep_fact, set_fact

_BATCHES_IN_HAND = 100
_HEARTBEAT = 10.0
"""Seconds: a third of the consumers' time-out."""
_MAIL_IN_HAND = 200

_log = structlog.get_logger(__name__)


async def build_fleet_sidecar(settings: Settings, stack: AsyncExitStack) -> Role:
    """Wait until no other sidecar and no other kind of ledger is there."""
    background: list[Background] = []
    database = await stack.enter_async_context(open_database(settings.db_path))
    link = await connect_nats(settings, background, stack)
    client, stream, replicas = link.client, settings.stream, settings.nats_replicas
    await ensure_ledger_streams(client, stream, replicas=replicas)
    nats = await join_ledger(link, background, stack)
    identity = await keep_fact(database, "ledger", lambda: uuid4().hex)
    await hold(link.role_tenancy("sidecar", identity), background, stack)
    await deliver_again(client, stream)
    publisher = Publisher(client)
    await stack.enter_async_context(publisher.running())
    copier = Copier(database, publisher, stream=stream, replicas=replicas)
    await copier.prepare()
    stack.push_async_callback(copier.finish)  # when all who write have ended
    facts = FactsPublisher(client, stream=stream, replicas=replicas)
    await facts.open()
    claims = ClaimBucket(publisher, stream=stream, idempotency_ttl=settings.idempotency_ttl)
    gate = Gate()
    secret = await _secret(database, facts)
    glance = await glance_at_account(settings, background, stack)
    workers = RemoteWorkers(facts, claims, database, gate, glance, secret=secret)
    queue = ShownQueue(nats.mail_queue, client, stream=stream, told=facts.stored)
    ground = Ground(settings, Meters(), nats, None, background)
    wake = await build_sidecar(ground, Desk(database, queue, workers, secret), stack)
    background += [("facts", facts.run), ("replica", copier.run)]
    projection, scheduled = Projection(database, glance.count_sent), ScheduledMail(database, gate.check, kept=wake)
    await stack.enter_async_context(projection.running())
    await stack.enter_async_context(scheduled.running())
    names = Names(stream)
    outcomes_feed = _feed(link, names.outcomes, projection.handle, _BATCHES_IN_HAND, background)
    scheduled_feed = _feed(link, names.scheduled, scheduled.handle, _MAIL_IN_HAND, background)
    queue.follow()
    report_on(ground)
    return Role(background, _Drain(nats, (outcomes_feed, scheduled_feed), settings.shutdown_grace).drain)


async def _secret(database: Database, facts: FactsPublisher) -> str:
    """What signs links: workers' mail that lies in inboxes was signed with the one they know."""
    if facts.secret is not None:
        await set_fact(database, "secret", facts.secret)
    return await keep_fact(database, "secret", lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class _Feed:
    """What takes messages from one of the ledger's streams."""

    intake: JetStreamIntake
    in_hand: InHand


def _feed(
    link: NatsLink,
    stream: str,
    handle: Callable[[Delivery], Coroutine[None, None, None]],
    most: int,
    background: list[Background],
) -> _Feed:
    slots = Slots(most)
    in_hand = InHand(handle, slots, Meters(), _HEARTBEAT)

    async def repair() -> None:
        await ensure_ledger_streams(link.client, link.settings.stream, replicas=link.settings.nats_replicas)

    intake = JetStreamIntake(
        link.client, stream=stream, consumer=CONSUMER, slots=slots, start=in_hand.start, repair=repair
    )
    background += [(f"feed {stream}", intake.run), (f"heartbeat {stream}", in_hand.keep_alive)]
    return _Feed(intake, in_hand)


@dataclass(frozen=True, slots=True)
class _Drain:
    source: NatsSource
    feeds: tuple[_Feed, ...]
    grace: float

    async def drain(self) -> None:
        """What outlasts the grace comes again after the next start."""
        await asyncio.gather(*(feed.intake.stop() for feed in self.feeds))
        await asyncio.gather(*(feed.in_hand.drain(self.grace) for feed in self.feeds))
        await self.source.flush()
