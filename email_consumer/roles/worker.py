"""The worker as a process of its own, one of many: it keeps no file, and knows the others through JetStream."""

from collections.abc import Callable

import structlog

from email_consumer.cluster.membership import Membership
from email_consumer.cluster.shared_state_watcher import SharedStateWatcher
from email_consumer.core.metrics import Metrics
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.reading_journal import BucketJournal
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from email_consumer.ledgers.jetstream.takeover import keep_takeover
from email_consumer.observe.metrics import create_registry
from email_consumer.pipeline.gate import Gate
from email_consumer.roles.http import health_routes, listen
from email_consumer.roles.monitoring import report_on
from email_consumer.roles.nats import NatsLink, connect_nats, join_ledger
from email_consumer.roles.paced_sender import PacedSender, open_paced_sender
from email_consumer.roles.parts import Parts
from email_consumer.roles.sending import build_sending, policy
from email_consumer.roles.sqs import open_sqs
from email_consumer.runtime.supervisor import OnCrash, Service, Supervisor
from email_consumer.settings import Settings

_log = structlog.get_logger(__name__)


async def build_worker(settings: Settings, services: Supervisor) -> None:
    """Wait until no other kind of ledger has the consumer, and until all is known that stops mail."""
    link = await connect_nats(settings, services)
    await ensure_ledger_streams(link.client, settings.stream, replicas=settings.nats_replicas)
    nats = await join_ledger(link, services)
    sqs = await open_sqs(settings, nats.dead_letters, services) if "sqs" in settings.source else None
    parts = Parts(settings, Metrics(), nats, sqs, services)
    gate = Gate()
    paced = await open_paced_sender(parts)
    membership = await _join_cluster(parts, link, paced)
    publisher = Publisher(link.client)
    parts.checks["ledger"] = publisher.check
    ledger = await _open_ledger(
        link, publisher, gate, lambda: min(nats.lease.valid_until, membership.valid_until), services
    )
    facts = SharedStateWatcher(
        link.client,
        stream=settings.stream,
        cancel=gate.cancel,
        suppressed=gate.suppressed,
        events_since=ledger.events_expected_from,
    )
    services.start(Service("shared state", facts.run))
    parts.checks["facts"] = facts.check
    await listen(parts, health_routes(parts, create_registry(parts.metrics)))
    secrets = await facts.ready()
    journal = BucketJournal(link.client, settings.stream)
    sending = build_sending(parts, paced, ledger=ledger, gate=gate, secrets=secrets, journal=journal)
    report_on(parts)
    services.start(*sending.services())


async def _join_cluster(parts: Parts, link: NatsLink, paced: PacedSender) -> Membership:
    """From here on nothing is released until the other workers have made room."""
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
    link: NatsLink, publisher: Publisher, gate: Gate, valid_until: Callable[[], float], services: Supervisor
) -> JetStreamLedger:
    settings = link.settings
    delivered = await link.topology.delivered()
    ledger = JetStreamLedger(
        publisher,
        gate.check,
        policy(settings),
        stream=settings.stream,
        takeover=await keep_takeover(link.client, settings.stream, settings.consumer, delivered),
        lease=settings.claim_lease,
        valid_until=valid_until,
    )
    await services.enter(ledger.running())
    _log.info("ledger.opened", worker=ledger.worker)
    return ledger
