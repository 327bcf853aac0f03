"""Builds the sidecar role: the only process with a database, which the workers reach through JetStream."""

from uuid import uuid4
from zoneinfo import ZoneInfo

from email_consumer.cluster.shared_state_publisher import SharedStatePublisher
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.metrics import Metrics
from email_consumer.core.unsent import Unsent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.bucket import ClaimBucket
from email_consumer.ledgers.jetstream.keeper import ClaimsKeeper
from email_consumer.ledgers.jetstream.mail_state import MailState
from email_consumer.ledgers.jetstream.projected_queue import ProjectedQueue
from email_consumer.ledgers.jetstream.projection import Projection
from email_consumer.ledgers.jetstream.refill import MailConsumers
from email_consumer.ledgers.jetstream.scheduling import ScheduledMail
from email_consumer.ledgers.jetstream.streams import CONSUMER, Names, deliver_again, ensure_ledger_streams
from email_consumer.pipeline.gate import Gate
from email_consumer.replica.copier import Copier
from email_consumer.roles.control_plane import Resources, build_control_plane
from email_consumer.roles.events_out import open_events_out
from email_consumer.roles.http import check_pace
from email_consumer.roles.ledger_consumers import LedgerConsumers
from email_consumer.roles.monitoring import report_on, watch_progress
from email_consumer.roles.nats import NatsLink, connect_nats
from email_consumer.roles.options import RoleOptions
from email_consumer.roles.paced_sender import used_before
from email_consumer.roles.parts import Parts
from email_consumer.roles.remote_workers import RemoteWorkers, monitor_account
from email_consumer.roles.sources import lanes_of
from email_consumer.roles.sqs import open_marks
from email_consumer.runtime.clock import elapsed
from email_consumer.runtime.supervisor import OnCrash, Service, Supervisor
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from email_consumer.sources.joint_mail_queue import JointMailQueue
from email_consumer.store.database import Database, open_database
from email_consumer.store.key_values import ensure_value
from email_consumer.store.link_secrets import keep_link_secrets, write_link_secrets

_BATCHES_AT_ONCE = 100
_MAILS_AT_ONCE = 200


async def build_sidecar(options: RoleOptions, services: Supervisor) -> None:
    """Start the sidecar once no other sidecar and no other kind of ledger is running."""
    database = await services.enter(open_database(options.db_path, group_reads=options.group_reads))
    link = await connect_nats(options.nats, services)
    client, stream, replicas = link.client, link.mail.stream, link.mail.replicas
    await ensure_ledger_streams(client, stream, replicas=replicas)
    publisher = Publisher(client)
    keeper = ClaimsKeeper(
        publisher,
        database,
        _mail_consumers(link, options.control_plane.zone),
        options.policy,
        replicas=replicas,
        delivered=link.topology.delivered,
    )
    await keeper.make()
    nats = await link.join_ledger()
    identity = await ensure_value(database, "ledger", lambda: uuid4().hex)
    lease = await _acquire_lease(link, identity)
    metrics = Metrics()
    events_out = await open_events_out(options.events_out, services, database, metrics)
    await keeper.prepare()
    services.start(Service("claims", keeper.run, on_crash=OnCrash.EXIT))
    copier = Copier(database, publisher, stream=stream, replicas=replicas, ledger=identity)
    if options.copy_rows:
        await _begin_copy(copier, lease, services)
    else:
        await copier.retire()
    shared_state = SharedStatePublisher(client, stream=stream, replicas=replicas)
    await shared_state.open()
    gate, secrets = Gate(options.safe_mode), LinkSecrets(*await _link_secrets(database, shared_state))
    sources = lanes_of(nats)
    monitor = await monitor_account(options.ses, services, reserved=await used_before(sources))
    claims = ClaimBucket(publisher, stream=stream, idempotency_ttl=options.policy.idempotency_ttl)
    workers = RemoteWorkers(shared_state, claims, database, gate, monitor, secrets=secrets, proven=keeper.expect)
    marks = await open_marks(options.sources.sqs, services) if "sqs" in options.sources.names else None
    mail_queue = JointMailQueue(nats.mail_queue, marks) if marks else nats.mail_queue
    queue = ProjectedQueue(mail_queue, client, stream=stream, published=shared_state.stored)
    parts = Parts(metrics, sources, services, options.safe_mode)
    parts.checks.update(events_out.checks, claims=keeper.check)
    resources = Resources(
        database,
        queue,
        workers,
        secrets,
        events_out.routes,
        monitor.ask,
        events_out.settled,
        [marks] if marks else [],
    )
    wake_scheduler = await build_control_plane(parts, options.control_plane, resources)
    services.start(Service("shared state", shared_state.run, on_crash=OnCrash.EXIT))

    async def shown(mails: list[MailState]) -> None:
        monitor.note_refusals(mails)
        await keeper.take(mails)

    projection = Projection(database, monitor.count_sent, shown)
    scheduled = ScheduledMail(
        database,
        gate.check,
        nats.dead_letters,
        Unsent(parts.metrics),
        dead_letter_writer=parts.dead_letter_writer,
        kept=wake_scheduler,
        idempotency_ttl=options.policy.idempotency_ttl,
        keep_subjects=options.keep_subjects,
    )
    await services.enter(projection.running())
    await services.enter(scheduled.running())
    queue.follow()
    check_pace(parts, monitor.metrics)
    watch_progress(parts, options.ses, monitor.metrics, lambda: None)  # each worker checks its own unsettled deliveries
    report_on(parts)
    consumers, names = LedgerConsumers(link, nats, options.sending.grace), Names(stream)
    consumers.add(names.outcomes, projection.handle, _BATCHES_AT_ONCE)
    consumers.add(names.scheduled, scheduled.handle, _MAILS_AT_ONCE)
    services.start(*consumers.services())


async def _acquire_lease(link: NatsLink, identity: str) -> ConsumerLease:
    """Become the only sidecar, and take over the unsettled deliveries of the previous one."""
    stream = link.mail.stream
    lease = link.role_lease("sidecar", identity, stream=Names(stream).outcomes, consumer=CONSUMER)
    await link.hold(lease)
    await deliver_again(link.client, stream)
    return lease


def _mail_consumers(link: NatsLink, zone: ZoneInfo) -> MailConsumers:
    transactional = link.topology.transactional.consumer.name
    return MailConsumers(link.client, link.mail.stream, link.mail.consumer, transactional, zone)


async def _begin_copy(copier: Copier, lease: ConsumerLease, services: Supervisor) -> None:
    """Copy every change to JetStream from here on, until the process ends."""
    await copier.prepare()

    async def finish() -> None:
        if elapsed() < lease.valid_until:  # otherwise another sidecar may be writing its rows
            await copier.finish()

    services.at_end(finish)
    services.start(Service("replica", copier.run, on_crash=OnCrash.EXIT))


async def _link_secrets(database: Database, shared_state: SharedStatePublisher) -> tuple[str, ...]:
    """Newest first: those of the database, unless workers sign with a newer secret because the database is new or was restored."""
    published, kept = shared_state.secrets, await keep_link_secrets(database)
    if published and published[0] not in kept:
        await write_link_secrets(database, published)
        return published
    return kept
