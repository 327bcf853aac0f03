"""The worker as a process of its own, one of many: it keeps no file, and knows the others through JetStream."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog

from email_consumer.admission.gate import Gate
from email_consumer.daemon.background import Background
from email_consumer.daemon.fleet import join_ledger
from email_consumer.daemon.ground import Ground
from email_consumer.daemon.listening import health_routes, listen
from email_consumer.daemon.nats import NatsLink, connect_nats
from email_consumer.daemon.operations import report_on
from email_consumer.daemon.outlet import Outlet, open_outlet
from email_consumer.daemon.porch import Porch
from email_consumer.daemon.role import Role
from email_consumer.daemon.sqs import open_sqs
from email_consumer.daemon.worker import build_worker, policy
from email_consumer.fleet.facts_watcher import FactsWatcher
from email_consumer.fleet.membership import Membership
from email_consumer.ledger.jetstream.claims_stream import ClaimsStream
from email_consumer.ledger.jetstream.guard import ClaimsGuard
from email_consumer.ledger.jetstream.inheritance import keep_inheritance
from email_consumer.ledger.jetstream.ledger import JetStreamLedger
from email_consumer.ledger.jetstream.reading_journal import BucketJournal
from email_consumer.ledger.jetstream.streams import ensure_ledger_streams, keep_ledger_streams
from email_consumer.meters import Meters
from email_consumer.observe.metrics import create_registry
from email_consumer.publisher import Publisher
from email_consumer.settings import Settings
from email_consumer.tasks import beside

_CLAIMS = "claims"
"""What `/ready` calls the bucket of claims."""
_LOOK = 0.5

_log = structlog.get_logger(__name__)


async def build_fleet_worker(settings: Settings, stack: AsyncExitStack) -> Role:
    """Wait until no other kind of ledger has the consumer, and until all is known that stops mail."""
    background: list[Background] = []
    link = await connect_nats(settings, background, stack)
    await ensure_ledger_streams(link.client, settings.stream, replicas=settings.nats_replicas)
    keep = partial(keep_ledger_streams, link.client, settings.stream, replicas=settings.nats_replicas)
    background.append(("ledger streams", keep))
    claims = ClaimsStream(link.client, settings.stream)
    claims_there = partial(_wait_for_claims, claims, settings)
    nats = await join_ledger(link, background, stack, claims_there)
    await link.unless_lost(claims_there())
    sqs = await open_sqs(settings, nats.dead_letters, stack) if "sqs" in settings.source else None
    ground = Ground(settings, Meters(), nats, sqs, background)
    gate = Gate()
    outlet = await open_outlet(ground, stack)
    membership = await _join_fleet(ground, link, outlet, stack)
    guard = ClaimsGuard(
        claims,
        hold=lambda reason: outlet.pacer.hold(_CLAIMS, reason),
        resume=lambda: outlet.pacer.resume(_CLAIMS),
    )
    ground.checks[_CLAIMS] = guard.check
    publisher = Publisher(link.client)
    ground.checks["ledger"] = publisher.check
    ledger = await _open_ledger(
        link,
        publisher,
        gate,
        guard=guard,
        valid_until=lambda: min(nats.tenancy.valid_until, membership.valid_until),
        stack=stack,
    )
    facts = FactsWatcher(
        link.client,
        stream=settings.stream,
        cancel=gate.cancel,
        suppressed=gate.suppressed,
        events_since=ledger.events_expected_from,
    )
    await stack.enter_async_context(beside(facts.run))
    ground.checks["facts"] = facts.check
    await listen(ground, health_routes(ground, create_registry(ground.meters)), stack)
    secrets = await link.unless_lost(facts.ready())
    journal = BucketJournal(link.client, settings.stream)
    worker = build_worker(ground, outlet, ledger=ledger, gate=gate, secrets=secrets, journal=journal)
    report_on(ground)

    async def drain() -> None:
        guard.close()
        await worker.drain()

    return Role(background, drain)


async def _wait_for_claims(claims: ClaimsStream, settings: Settings) -> None:
    """Until the sidecar has made the bucket, or refilled it: an empty one would know nothing of what was sent."""
    porch, told = Porch(settings), False
    async with porch.standing():
        while not await claims.is_open():
            if not told:
                told = True
                reason = "the claims bucket is not there, or not refilled yet; waiting for the sidecar"
                _log.warning("claims.waiting", hint=reason)
                await porch.open(_CLAIMS, reason)
            await asyncio.sleep(_LOOK)


async def _join_fleet(ground: Ground, link: NatsLink, outlet: Outlet, stack: AsyncExitStack) -> Membership:
    """From here on nothing is released until the other workers have made room."""
    membership = Membership(
        link.client,
        stream=ground.settings.stream,
        replicas=ground.settings.nats_replicas,
        set_workers=outlet.governor.set_workers,
        pace=outlet.pacer,
    )
    await membership.open()
    ground.background.append(("fleet", membership.run))
    stack.push_async_callback(membership.leave)  # when the background has ended
    return membership


async def _open_ledger(
    link: NatsLink,
    publisher: Publisher,
    gate: Gate,
    *,
    guard: ClaimsGuard,
    valid_until: Callable[[], float],
    stack: AsyncExitStack,
) -> JetStreamLedger:
    settings = link.settings
    delivered = await link.topology.delivered()
    ledger = JetStreamLedger(
        publisher,
        gate.check,
        policy(settings),
        stream=settings.stream,
        inheritance=await keep_inheritance(link.client, settings.stream, settings.consumer, delivered),
        guard=guard,
        lease=settings.claim_lease,
        valid_until=valid_until,
    )
    await stack.enter_async_context(ledger.running())
    _log.info("ledger.opened", worker=ledger.worker)
    return ledger
