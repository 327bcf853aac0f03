"""Builds the worker role, of which there may be many processes: it has no database, and shares state through JetStream."""

import asyncio
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
from email_consumer.roles.http import check_pace, health_routes, listen
from email_consumer.roles.monitoring import report_on, watch_progress
from email_consumer.roles.nats import NatsLink, connect_nats
from email_consumer.roles.options import RoleOptions
from email_consumer.roles.paced_sender import PacedSender, open_paced_sender
from email_consumer.roles.parts import Parts
from email_consumer.roles.sending import build_sending
from email_consumer.roles.sources import open_sources
from email_consumer.roles.waiting_server import ServerAddress, WaitingServer
from email_consumer.runtime.supervisor import OnCrash, Service, Supervisor
from email_consumer.sources.jetstream.source import JetStreamSource

_CLAIMS = "claims"
"""Name of the claims bucket's check in `/ready`."""
_POLL = 0.5

_log = structlog.get_logger(__name__)


async def build_worker(options: RoleOptions, services: Supervisor) -> None:
    """Start the worker once no other kind of ledger holds the consumer, and the shared state is loaded."""
    link = await connect_nats(options.nats, services)
    client, stream = link.client, link.mail.stream
    await _open_ledger_streams(link)
    claims = ClaimsStream(client, stream)
    sources = await open_sources(options.sources, services, partial(_take_consumer, link, claims))
    parts = Parts(Metrics(), sources, services, options.safe_mode)
    gate = Gate(options.safe_mode)
    paced = await open_paced_sender(parts, options.ses)
    membership = await _join_cluster(link, paced)
    guard = ClaimsGuard(
        claims,
        hold=lambda reason: paced.pacer.hold(_CLAIMS, reason),
        resume=lambda: paced.pacer.resume(_CLAIMS),
    )
    parts.checks[_CLAIMS] = guard.check
    publisher = Publisher(client)
    parts.checks["ledger"] = publisher.check
    ledger = JetStreamLedger(
        publisher,
        gate.check,
        options.policy,
        stream=stream,
        takeover=await keep_takeover(client, stream, link.mail.consumer, await link.topology.delivered()),
        guard=guard,
        lease=options.claim_lease,
        keep_subjects=options.keep_subjects,
        valid_until=lambda: min(parts.valid_until, membership.valid_until),
    )
    await services.enter(ledger.running())
    _log.info("ledger.opened", worker=ledger.worker)
    shared_state = _follow_shared_state(parts, link, gate, ledger)
    await listen(parts, options.http, health_routes(parts, create_registry(parts.metrics)))
    secrets = await shared_state.ready()
    journal = BucketJournal(client, stream)
    sending = build_sending(
        parts,
        paced,
        options.sending,
        ledger=ledger,
        gate=gate,
        secrets=secrets,
        journal=journal,
        before_drain=guard.close,
    )
    check_pace(parts, parts.metrics)
    watch_progress(parts, options.ses, parts.metrics, sending.dispatcher.oldest)
    report_on(parts)
    services.start(*sending.services())


async def _open_ledger_streams(link: NatsLink) -> None:
    """Create the ledger's streams, and create them again if they are lost."""
    stream, replicas = link.mail.stream, link.mail.replicas
    await ensure_ledger_streams(link.client, stream, replicas=replicas)
    keep = partial(keep_ledger_streams, link.client, stream, replicas=replicas)
    link.services.start(Service("ledger streams", keep, on_crash=OnCrash.EXIT))


async def _take_consumer(link: NatsLink, claims: ClaimsStream) -> JetStreamSource:
    claims_exist = partial(_wait_for_claims, claims, link.server)
    nats = await link.join_ledger(claims_exist)
    await claims_exist()  # no takeover waited for them if the ledger had the consumer before
    return nats


async def _wait_for_claims(claims: ClaimsStream, server: ServerAddress) -> None:
    """Wait until the sidecar has created or refilled the bucket: an empty one would not know what has been sent."""
    waiting_server, logged = WaitingServer(server), False
    async with waiting_server.running():
        while not await claims.is_open():
            if not logged:
                logged = True
                reason = "the claims bucket is missing or not refilled yet; waiting for the sidecar"
                _log.warning("claims.waiting", hint=reason)
                await waiting_server.open(_CLAIMS, reason)
            await asyncio.sleep(_POLL)


async def _join_cluster(link: NatsLink, paced: PacedSender) -> Membership:
    """Join the other workers; no mail is released until they have made room."""
    membership = Membership(
        link.client,
        stream=link.mail.stream,
        replicas=link.mail.replicas,
        set_workers=paced.governor.set_workers,
        pace=paced.pacer,
    )
    await membership.open()
    link.services.at_end(membership.leave)
    link.services.start(Service("membership", membership.run, on_crash=OnCrash.EXIT))
    return membership


def _follow_shared_state(parts: Parts, link: NatsLink, gate: Gate, ledger: JetStreamLedger) -> SharedStateWatcher:
    """Learn of cancellations, suppressions, holds and events from the sidecar."""
    shared_state = SharedStateWatcher(
        link.client,
        stream=link.mail.stream,
        cancel=gate.cancel,
        suppressed=gate.suppressed,
        hold=gate.holds.replace,
        events_since=ledger.events_expected_from,
    )
    parts.services.start(Service("shared state", shared_state.run))
    parts.checks["shared_state"] = shared_state.check
    return shared_state
