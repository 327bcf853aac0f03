"""Worker and sidecar in one process, with the ledger in one SQLite file."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import uuid4

import orjson

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.metrics import Metrics
from email_consumer.ledgers.restored import doubt_since_backup
from email_consumer.ledgers.rule import Takeover
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.pipeline.gate import Gate
from email_consumer.roles.control_plane import Resources, build_control_plane
from email_consumer.roles.events_out import open_events_out
from email_consumer.roles.http import check_pace
from email_consumer.roles.monitoring import report_on, watch_progress
from email_consumer.roles.nats import NatsLink, NatsOptions, connect_nats
from email_consumer.roles.options import RoleOptions
from email_consumer.roles.paced_sender import open_paced_sender
from email_consumer.roles.parts import Parts
from email_consumer.roles.sending import build_sending
from email_consumer.roles.sources import open_sources
from email_consumer.roles.workers import EmbeddedWorker
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.sources.jetstream.source import JetStreamSource
from email_consumer.store.database import Database, open_database
from email_consumer.store.key_values import ensure_value, write_value
from email_consumer.store.link_secrets import keep_link_secrets
from email_consumer.store.reading_journal import open_journal


async def build_run(options: RoleOptions, services: Supervisor) -> None:
    """Open the database, then the sources; wait for the consumer lease."""
    database = await services.enter(open_database(options.db_path, group_reads=options.group_reads))
    await doubt_since_backup(database)
    sources = await open_sources(options.sources, services, partial(_take_consumer, options.nats, database, services))
    metrics = Metrics()
    events_out = await open_events_out(options.events_out, services, database, metrics)
    parts = Parts(metrics, sources, services, options.safe_mode, local=options.local)
    parts.checks.update(events_out.checks)
    gate = Gate(options.safe_mode)
    ledger = SqliteLedger(
        database,
        gate.check,
        options.policy,
        takeover=await _takeover(database),
        valid_until=lambda: parts.valid_until,
        keep_subjects=options.keep_subjects,
    )
    await services.enter(ledger.running())
    paced = await open_paced_sender(parts, options.ses)
    secrets = LinkSecrets(*await keep_link_secrets(database))
    journal = await services.enter(open_journal(options.db_path))
    sending = build_sending(parts, paced, options.sending, ledger=ledger, gate=gate, secrets=secrets, journal=journal)
    check_pace(parts, metrics)
    watch_progress(parts, options.ses, metrics, sending.dispatcher.oldest)
    worker = EmbeddedWorker(gate, ledger, paced.governor, metrics)
    resources = Resources(
        database,
        parts.mail_queue,
        worker,
        secrets,
        events_out.routes,
        paced.ask,
        events_out.settled,
        parts.other_mail_queues,
    )
    ledger.when_scheduled = await build_control_plane(parts, options.control_plane, resources)
    report_on(parts)
    services.start(*sending.services())


async def _take_consumer(options: NatsOptions, database: Database, services: Supervisor) -> JetStreamSource:
    link = await connect_nats(options, services)
    identity = await ensure_value(database, "ledger", lambda: uuid4().hex)
    lease = link.consumer_lease(identity, shared=False)
    await link.hold(lease, partial(_take_over, database, link))
    return await link.source(lease)


async def _take_over(database: Database, link: NatsLink) -> Callable[[], Awaitable[None]]:
    bulk, transactional, stream = await link.topology.delivered()
    takeover = orjson.dumps([bulk, time.time(), stream, transactional]).decode()
    return partial(write_value, database, "inheritance", takeover)


async def _takeover(database: Database) -> Takeover:
    return Takeover(*orjson.loads(await ensure_value(database, "inheritance", lambda: "[0, 0]")))
