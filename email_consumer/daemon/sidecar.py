"""The sidecar: what takes mail over HTTP, hears what became of it, and answers operators."""

import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from email_consumer.admission.gate import Cancellation
from email_consumer.daemon.dashboard import build_dashboard
from email_consumer.daemon.faults import DaemonError
from email_consumer.daemon.operations import build_metrics, build_operations
from email_consumer.daemon.sqs import open_events_queue
from email_consumer.daemon.start import Ground
from email_consumer.daemon.worker import Worker
from email_consumer.dashboard.security_headers import add_security_headers
from email_consumer.feedback.certificate_download import CertificateDownload
from email_consumer.feedback.certificates import Certificates
from email_consumer.feedback.event_routes import EventRoutes
from email_consumer.feedback.in_doubt_routes import InDoubtRoutes
from email_consumer.feedback.inbox import Inbox
from email_consumer.feedback.mirror import Mirror
from email_consumer.feedback.receiver import Receiver
from email_consumer.feedback.sandbox_certificate import SandboxCertificateError, sandbox_certificate
from email_consumer.feedback.sqs_events import SqsEvents
from email_consumer.feedback.subscription import Subscriptions
from email_consumer.feedback.suppression_list import SuppressionList
from email_consumer.feedback.suppression_routes import SuppressionRoutes
from email_consumer.feedback.suppression_rows import SuppressionRows
from email_consumer.feedback.unsubscribe import Unsubscribe
from email_consumer.feedback.unsubscribe_routes import UnsubscribeRoutes
from email_consumer.feedback.verifier import Verifier
from email_consumer.intake.dead_letters import DeadLetterError
from email_consumer.sidecar.app import create_app
from email_consumer.sidecar.cancellations import Cancellations
from email_consumer.sidecar.dead_letter_routes import DeadLetterRoutes
from email_consumer.sidecar.due_mail import DueMail
from email_consumer.sidecar.health import HealthRoutes
from email_consumer.sidecar.mail_history import MailHistory
from email_consumer.sidecar.mail_store import MailStore
from email_consumer.sidecar.message_routes import MessageRoutes
from email_consumer.sidecar.misfires import Misfires
from email_consumer.sidecar.scheduler import Scheduler
from email_consumer.sidecar.server import Server
from email_consumer.sidecar.statistics import Statistics
from email_consumer.sidecar.topic_routes import TopicRoutes
from email_consumer.tracking.open_routes import OpenRoutes
from email_consumer.tracking.opens import OpenRecorder
from email_consumer.tracking.tokens import OpenTokens

_log = structlog.get_logger(__name__)


async def build_sidecar(ground: Ground, worker: Worker, stack: AsyncExitStack) -> None:
    """Listening when this returns; what stops mail is known to the gate."""
    feedback = await _feedback(ground, worker, stack)
    dashboard = build_dashboard(ground, lambda: worker.governor.account, feedback.refused)
    metrics = build_metrics(ground, dashboard.look, feedback.events, feedback.refused)
    routes = [
        *await _mail_routes(ground, worker),
        *feedback.routes,
        *_open_routes(ground, stack),
        *_health_routes(ground, metrics),
        *build_operations(ground),
        *dashboard.routes,
    ]
    settings = ground.settings
    keys = [key.get_secret_value() for key in settings.api_key]
    app = create_app(routes, keys, version=version("email-consumer"), admits=dashboard.admits)
    app.on_response_prepare.append(add_security_headers)
    server = Server(app, settings.server_port)
    try:
        await stack.enter_async_context(server)
    except OSError as error:
        raise DaemonError(f"SERVER_PORT: can't listen on port {settings.server_port}: {error.strerror}") from error
    worker.ledger.events_expected_from(time.time())
    _log.info("sidecar.listening", port=server.port)


async def _mail_routes(ground: Ground, worker: Worker) -> list[web.RouteDef]:
    settings, database = ground.settings, ground.database
    queue = ground.mail_queue
    misfires = Misfires(database, settings.misfire, settings.misfire_limit)
    scheduler = Scheduler(DueMail(database), queue, misfires)
    ground.background.append(("scheduler", scheduler.run))
    worker.ledger.when_scheduled = scheduler.wake
    cancellations = Cancellations(
        database, queue, lambda topic, sequence, at: ground.gate.cancel(topic, Cancellation(sequence, at))
    )
    await cancellations.load()
    store = MailStore(database, settings.idempotency_ttl)
    return [
        *MessageRoutes(
            store,
            zone=ZoneInfo(settings.timezone),
            max_payload=lambda: queue.max_payload,
            stored=scheduler.wake,
        ).routes(),
        *MailHistory(database).routes(),
        *TopicRoutes(Statistics(database), cancellations).routes(),
        *(DeadLetterRoutes(ground.nats.dead_letters, DeadLetterError).routes() if ground.nats else ()),
    ]


@dataclass(frozen=True, slots=True)
class _Feedback:
    routes: list[web.RouteDef]
    events: Counter[str]
    """SES's events by kind, since the start."""
    refused: Counter[str]
    """SNS messages by cause, since the start."""


async def _feedback(ground: Ground, worker: Worker, stack: AsyncExitStack) -> _Feedback:
    settings, database = ground.settings, ground.database
    rows = SuppressionRows(soft_bounce_limit=settings.soft_bounce_limit, mirror=settings.suppression_mirror)
    suppressions = SuppressionList(database, rows, ground.gate)
    await suppressions.load()
    inbox = Inbox(database, rows, ground.gate, instance=settings.instance, settled=worker.ledger.settled)
    await stack.enter_async_context(inbox.running())
    if settings.suppression_mirror:
        mirror = Mirror(database, region=settings.aws_region, endpoint=settings.ses_endpoint)
        ground.background.append(("mirror", mirror.run))
    try:
        sandbox = sandbox_certificate(settings.sandbox_certificate, settings.ses_endpoint)
    except SandboxCertificateError as error:
        raise DaemonError(str(error)) from error
    verifier = Verifier(settings.sns_topic_arns, Certificates(CertificateDownload()), sandbox)
    receiver = Receiver(verifier, Subscriptions(settings.sns_endpoint), inbox)
    if settings.sns_events_queue_url:
        queue = await open_events_queue(settings, settings.sns_events_queue_url, stack)
        events = SqsEvents(queue, receiver.handle, worker.ledger.events_expected_from)
        ground.background.append(("events", events.run))
    routes = [
        *EventRoutes(receiver).routes(),
        *InDoubtRoutes(database).routes(),
        *SuppressionRoutes(suppressions).routes(),
        *UnsubscribeRoutes(Unsubscribe(settings.server_url, ground.secret), suppressions).routes(),
    ]
    return _Feedback(routes, inbox.counts.kinds, receiver.refusals.refused)


def _open_routes(ground: Ground, stack: AsyncExitStack) -> list[web.RouteDef]:
    opens = OpenRecorder(ground.database)
    ground.background.append(("opens", opens.run))
    stack.push_async_callback(opens.flush)
    return OpenRoutes(OpenTokens(ground.secret), opens.record).routes()


def _health_routes(ground: Ground, metrics: CollectorRegistry) -> list[web.RouteDef]:
    async def ledger() -> None:
        await ground.database.fetch("SELECT 1")

    async def ses() -> None:
        if ground.meters.held:
            raise ConnectionError(ground.meters.held)

    sources = {name: source.check for name, source in ground.sources.items()}
    return HealthRoutes({**sources, "ledger": ledger, "ses": ses}, lambda: generate_latest(metrics)).routes()
