"""Builds the worker role, of which there may be many processes: it has no database, and shares state through JetStream."""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from email_consumer.cluster.membership import Membership
from email_consumer.cluster.shared_state_watcher import SharedStateWatcher
from email_consumer.core.metrics import Metrics
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.guard import ClaimsGuard
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.reading_journal import BucketJournal
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams, keep_ledger_streams
from email_consumer.ledgers.jetstream.takeover import keep_takeover
from email_consumer.observe.metrics import create_registry
from email_consumer.pipeline.gate import Gate
from email_consumer.roles.http import health_routes, listen
from email_consumer.roles.monitoring import report_on
from email_consumer.roles.nats import NatsLink, connect_nats, join_ledger
from email_consumer.roles.paced_sender import PacedSender, open_paced_sender
from email_consumer.roles.parts import Parts
from email_consumer.roles.sending import build_sending, policy
from email_consumer.roles.sources import open_sources
from email_consumer.roles.waiting_server import WaitingServer
from email_consumer.runtime.supervisor import OnCrash, Service, Supervisor
from email_consumer.settings import Settings
from email_consumer.settings.safe_mode import safe_mode_of
from email_consumer.sources.jetstream.source import JetStreamSource

_CLAIMS = "claims"
"""Name of the claims bucket's check in `/ready`."""
_POLL = 0.5

_log = structlog.get_logger(__name__)


async def build_worker(settings: Settings, services: Supervisor) -> None:
    """Start the worker once no other kind of ledger holds the consumer, and the shared state is loaded."""
    link = await connect_nats(settings, services)
    await ensure_ledger_streams(link.client, settings.stream, replicas=settings.nats_replicas)
    services.start(
        Service(
            "ledger streams",
            partial(keep_ledger_streams, link.client, settings.stream, replicas=settings.nats_replicas),
            on_crash=OnCrash.EXIT,
        )
    )
    claims = ClaimsStream(link.client, settings.stream)
    claims_exist = partial(_wait_for_claims, claims, settings)

    async def take_consumer() -> JetStreamSource:
        nats = await join_ledger(link, services, claims_exist)
        await claims_exist()
        return nats

    parts = Parts(settings, Metrics(), await open_sources(settings, services, take_consumer), services)
    gate = Gate(safe_mode_of(settings))
    paced = await open_paced_sender(parts)
    membership = await _join_cluster(parts, link, paced)
    guard = ClaimsGuard(
        claims,
        hold=lambda reason: paced.pacer.hold(_CLAIMS, reason),
        resume=lambda: paced.pacer.resume(_CLAIMS),
    )
    parts.checks[_CLAIMS] = guard.check
    publisher = Publisher(link.client)
    parts.checks["ledger"] = publisher.check
    ledger = await _open_ledger(
        link,
        publisher,
        gate,
        guard=guard,
        valid_until=lambda: min(parts.valid_until, membership.valid_until),
        services=services,
    )
    shared_state = SharedStateWatcher(
        link.client,
        stream=settings.stream,
        cancel=gate.cancel,
        suppressed=gate.suppressed,
        hold=gate.holds.replace,
        events_since=ledger.events_expected_from,
    )
    services.start(Service("shared state", shared_state.run))
    parts.checks["shared_state"] = shared_state.check
    await listen(parts, health_routes(parts, create_registry(parts.metrics)))
    secrets = await shared_state.ready()
    journal = BucketJournal(link.client, settings.stream)
    sending = build_sending(
        parts, paced, ledger=ledger, gate=gate, secrets=secrets, journal=journal, before_drain=guard.close
    )
    report_on(parts)
    services.start(*sending.services())


async def _wait_for_claims(claims: ClaimsStream, settings: Settings) -> None:
    """Wait until the sidecar has created or refilled the bucket: an empty one would not know what has been sent."""
    waiting_server, logged = WaitingServer(settings), False
    async with waiting_server.running():
        while not await claims.is_open():
            if not logged:
                logged = True
                reason = "the claims bucket is missing or not refilled yet; waiting for the sidecar"
                _log.warning("claims.waiting", hint=reason)
                await waiting_server.open(_CLAIMS, reason)
            await asyncio.sleep(_POLL)


async def _join_cluster(parts: Parts, link: NatsLink, paced: PacedSender) -> Membership:
    """Join the other workers; no mail is released until they have made room."""
    membership = Membership(
        link.client,
        stream=parts.settings.stream,
        replicas=parts.settings.nats_replicas,
        set_workers=paced.governor.set_workers,
        pace=paced.pacer,
    )
    await membership.open()
    parts.services.at_end(membership.leave)
    parts.services.start(Service("membership", membership.run, on_crash=OnCrash.EXIT))
    return membership


async def _open_ledger(
    link: NatsLink,
    publisher: Publisher,
    gate: Gate,
    *,
    guard: ClaimsGuard,
    valid_until: Callable[[], float],
    services: Supervisor,
) -> JetStreamLedger:
    settings = link.settings
    delivered = await link.topology.delivered()
    ledger = JetStreamLedger(
        publisher,
        gate.check,
        policy(settings),
        stream=settings.stream,
        takeover=await keep_takeover(link.client, settings.stream, settings.consumer, delivered),
        guard=guard,
        lease=settings.claim_lease,
        keep_subjects=settings.keep_subjects,
        valid_until=valid_until,
    )
    await services.enter(ledger.running())
    _log.info("ledger.opened", worker=ledger.worker)
    return ledger
