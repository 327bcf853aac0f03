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
from email_consumer.roles.ledger_membership import join_ledger
from email_consumer.roles.nats import NatsLink, connect_nats
from email_consumer.roles.operations import report_on
from email_consumer.roles.outlet import Outlet, open_outlet
from email_consumer.roles.parts import Ground
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
    ground = Ground(settings, Metrics(), nats, sqs, services)
    gate = Gate()
    outlet = await open_outlet(ground)
    membership = await _join_cluster(ground, link, outlet)
    publisher = Publisher(link.client)
    ground.checks["ledger"] = publisher.check
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
    ground.checks["facts"] = facts.check
    await listen(ground, health_routes(ground, create_registry(ground.metrics)))
    secrets = await facts.ready()
    journal = BucketJournal(link.client, settings.stream)
    sending = build_sending(ground, outlet, ledger=ledger, gate=gate, secrets=secrets, journal=journal)
    report_on(ground)
    services.start(*sending.services())


async def _join_cluster(ground: Ground, link: NatsLink, outlet: Outlet) -> Membership:
    """From here on nothing is released until the other workers have made room."""
    membership = Membership(
        link.client,
        stream=ground.settings.stream,
        replicas=ground.settings.nats_replicas,
        set_workers=outlet.governor.set_workers,
        pace=outlet.pacer,
    )
    await membership.open()
    ground.services.at_end(membership.leave)
    ground.services.start(Service("membership", membership.run, on_crash=OnCrash.EXIT))
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
