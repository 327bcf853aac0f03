"""The control plane: accepts mail over HTTP, processes events from SES, and answers operators."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from aiohttp import web

from email_consumer.api.cancellations import Cancellations
from email_consumer.api.content_routes import ContentRoutes
from email_consumer.api.dead_letter_routes import DeadLetterRoutes
from email_consumer.api.domain_routes import DomainRoutes
from email_consumer.api.find_routes import FindRoutes
from email_consumer.api.link_secret_routes import LinkSecretRoutes
from email_consumer.api.mail_history import MailHistory
from email_consumer.api.mail_list_routes import MailListRoutes
from email_consumer.api.mail_lists import MailLists
from email_consumer.api.mail_store import MailStore
from email_consumer.api.message_routes import MessageRoutes
from email_consumer.api.progress import ProgressReader
from email_consumer.api.reason_routes import ReasonRoutes
from email_consumer.api.resend_routes import ResendRoutes
from email_consumer.api.scheduled_mail import ScheduledMail
from email_consumer.api.statistics import Statistics
from email_consumer.api.stats_routes import StatsRoutes
from email_consumer.api.topic_routes import TopicRoutes
from email_consumer.api.unseen import Unseen, unseen_in
from email_consumer.api.waiting_routes import WaitingRoutes
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_group import MailReport
from email_consumer.core.mail_queue import MailQueue
from email_consumer.core.unsent import Unsent
from email_consumer.feedback.event_routes import EventRoutes
from email_consumer.feedback.in_doubt_routes import InDoubtRoutes
from email_consumer.feedback.inbox import Inbox
from email_consumer.feedback.receiver import EventReceiver
from email_consumer.feedback.sqs_events import SqsEvents
from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.message.lane import Lane
from email_consumer.roles.access import build_access
from email_consumer.roles.dashboard import build_dashboard
from email_consumer.roles.events_out import no_events
from email_consumer.roles.holds import open_holds
from email_consumer.roles.http import health_routes, listen
from email_consumer.roles.monitoring import build_metrics, build_operations, watch_unconsumed
from email_consumer.roles.parts import Parts
from email_consumer.roles.reputation import open_reputation
from email_consumer.roles.sqs import open_events_queue
from email_consumer.roles.workers import Workers
from email_consumer.runtime.supervisor import OnCrash, Service
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.scheduling.misfires import Misfires
from email_consumer.scheduling.publish_window import window_for
from email_consumer.scheduling.scheduler import Scheduler
from email_consumer.sns.certificate_download import CertificateDownload
from email_consumer.sns.certificate_store import SqliteCertificateStore
from email_consumer.sns.certificates import Certificates
from email_consumer.sns.sandbox_certificate import sandbox_certificate
from email_consumer.sns.subscription import Subscriptions
from email_consumer.sns.verifier import Verifier
from email_consumer.store.database import Database
from email_consumer.store.domain_days import DomainDays
from email_consumer.suppression.mirror import Mirror
from email_consumer.suppression.routes import SuppressionRoutes
from email_consumer.suppression.rows import SuppressionRows
from email_consumer.suppression.suppression_list import SuppressionList
from email_consumer.suppression.unsubscribe import Unsubscribe
from email_consumer.suppression.unsubscribe_page import Sender, UnsubscribePage
from email_consumer.suppression.unsubscribe_routes import UnsubscribeRoutes
from email_consumer.tracking.open_routes import OpenRoutes
from email_consumer.tracking.opens import OpenRecorder
from email_consumer.tracking.tokens import OpenTokens


@dataclass(frozen=True, slots=True)
class Resources:
    """What the control plane needs in addition to the parts of every role."""

    database: Database
    queue: MailQueue
    """Where mail accepted over HTTP is published."""
    workers: Workers
    secrets: LinkSecrets
    """The secrets that sign links in mail."""
    routes: Sequence[web.RouteDef] = ()
    """Further routes."""
    events_settled: Callable[[], Awaitable[None]] = no_events
    """Returns once no event is on its way to JetStream that was read before."""


async def build_control_plane(parts: Parts, resources: Resources) -> Callable[[], None]:
    """Start the control plane; its server is listening on return.

    The returned function wakes the scheduler, and has to be called after scheduled mail was stored.
    """
    misfires = Misfires(resources.database, parts.settings.misfire, parts.settings.misfire_limit)
    active_holds = ActiveHolds()
    mail, unsent = DueMail(resources.database, active_holds, parts.traces), Unsent(parts.metrics)
    scheduler = Scheduler(
        mail,
        resources.queue,
        misfires,
        parts.dead_letters_of_keeping,
        unsent,
        dead_letter_writer=parts.dead_letter_writer,
        windows={lane: window_for(parts.settings.ses_rate_per_sec) for lane in Lane},
    )
    holds = await open_holds(parts, resources.database, resources.workers, active_holds, released=scheduler.wake)
    reputation = await open_reputation(parts, resources.database, resources.workers, holds.list)
    feedback = await _feedback(parts, resources, reputation.breaker.report)
    unconsumed = watch_unconsumed(parts)
    access = await build_access(parts, resources.database)
    dashboard = build_dashboard(
        parts, resources.database, resources.workers, feedback.refused, unconsumed, key_is_current=access.keys.current
    )
    metrics = build_metrics(
        parts, dashboard.snapshot, feedback.events, feedback.refused, unconsumed=unconsumed, holds=holds
    )
    parts.checks["ledger"] = resources.database.check
    parts.checks["schedule"] = scheduler.check
    unseen = unseen_in(resources.queue, claims_visible=resources.workers.claims_visible)
    routes = [
        *await _mail_routes(parts, resources, scheduler, unseen),
        *feedback.routes,
        *holds.routes,
        *reputation.routes,
        *_open_routes(parts, resources),
        *health_routes(parts, metrics),
        *build_operations(parts, resources.database, unseen, resources.events_settled),
        *LinkSecretRoutes(resources.database, resources.secrets, resources.workers.sign_links).routes(),
        *access.routes,
        *dashboard.routes,
        *resources.routes,
    ]
    parts.services.start(Service("scheduler", scheduler.run, on_crash=OnCrash.EXIT))  # it knows the cancellations now
    await listen(parts, routes, admits=dashboard.admits, access=access)
    _events_expected_from_now(resources.workers)
    parts.services.start(*feedback.services)  # they may say that events are expected later than now: after that
    return scheduler.wake


def _events_expected_from_now(workers: Workers) -> None:
    workers.events_expected_from(time.time())


async def _mail_routes(parts: Parts, resources: Resources, scheduler: Scheduler, unseen: Unseen) -> list[web.RouteDef]:
    settings, database, queue = parts.settings, resources.database, resources.queue
    cancellations = Cancellations(
        database,
        queue,
        resources.workers.cancel,
        scheduler.paused,
        unsent=Unsent(parts.metrics),
        claims_visible=resources.workers.claims_visible,
    )
    await cancellations.load()
    store = MailStore(database, settings.idempotency_ttl, keep_subjects=settings.keep_subjects)
    return [
        *MessageRoutes(
            store,
            parts.metrics,
            zone=ZoneInfo(settings.timezone),
            max_payload=lambda: queue.max_payload,
            stored=scheduler.wake,
            default_sender=settings.from_email,
            traces=parts.traces,
        ).routes(),
        *ResendRoutes(
            store,
            ScheduledMail(database, scheduler.paused, scheduler.wake, unsent=Unsent(parts.metrics)),
            zone=ZoneInfo(settings.timezone),
            max_payload=lambda: queue.max_payload,
            stored=scheduler.wake,
            default_sender=settings.from_email,
        ).routes(),
        *MailListRoutes(MailLists(database), ZoneInfo(settings.timezone)).routes(),
        *MailHistory(database, unseen).routes(),
        *ContentRoutes(database, settings.from_email).routes(),
        *FindRoutes(database).routes(),
        *ReasonRoutes(database).routes(),
        *WaitingRoutes(database).routes(),
        *TopicRoutes(Statistics(database), cancellations, ProgressReader(database, unseen)).routes(),
        *DomainRoutes(DomainDays(database)).routes(),
        *StatsRoutes(database, lambda: resources.workers.account, ZoneInfo(settings.timezone)).routes(),
        *(route for archive in parts.archives[:1] for route in DeadLetterRoutes(archive).routes()),
    ]


@dataclass(frozen=True, slots=True)
class _Feedback:
    routes: list[web.RouteDef]
    services: list[Service]
    """To be started once events are expected."""
    events: Counter[str]
    """Events from SES by kind, since the start."""
    refused: Counter[str]
    """SNS messages by cause, since the start."""


async def _feedback(parts: Parts, resources: Resources, reported: Callable[[MailReport], None]) -> _Feedback:
    settings, database, workers = parts.settings, resources.database, resources.workers
    rows = SuppressionRows(soft_bounce_limit=settings.soft_bounce_limit, mirror=settings.suppression_mirror)
    suppressions = SuppressionList(database, rows, workers)
    await suppressions.load()
    inbox = Inbox(
        database,
        rows,
        workers,
        instance=settings.instance,
        proven=workers.proven,
        missed=partial(_events_expected_from_now, workers),
        life=workers.life,
        reported=reported,
    )
    await parts.services.enter(inbox.running())
    if settings.suppression_mirror:
        mirror = Mirror(database, region=settings.aws_region, endpoint=settings.ses_endpoint)
        parts.services.start(Service("mirror", mirror.run))
    sandbox = sandbox_certificate(settings.sandbox_certificate, settings.ses_endpoint)
    certificates = Certificates(CertificateDownload(), SqliteCertificateStore(database))
    await certificates.load()
    verifier = Verifier(settings.sns_topic_arns, certificates, sandbox)
    receiver = EventReceiver(verifier, Subscriptions(settings.sns_endpoint), inbox)
    services = []
    if settings.sns_events_queue_url:
        queue = await open_events_queue(settings, settings.sns_events_queue_url, parts.services)
        events = SqsEvents(queue, receiver.handle, workers.events_expected_from)
        services.append(Service("events", events.run, on_crash=OnCrash.EXIT))
    routes = [
        *EventRoutes(receiver).routes(),
        *InDoubtRoutes(database).routes(),
        *SuppressionRoutes(suppressions).routes(),
        *UnsubscribeRoutes(
            Unsubscribe(settings.server_url, resources.secrets),
            suppressions,
            UnsubscribePage(Sender(settings.sender, settings.sender_color)),
        ).routes(),
    ]
    return _Feedback(routes, services, inbox.counts.kinds, receiver.refusals.refused)


def _open_routes(parts: Parts, resources: Resources) -> list[web.RouteDef]:
    opens = OpenRecorder(resources.database)
    parts.services.at_end(opens.flush)
    parts.services.start(Service("opens", opens.run))
    return OpenRoutes(OpenTokens(resources.secrets), opens.record).routes()
