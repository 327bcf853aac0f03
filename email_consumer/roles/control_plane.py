"""The control plane: accepts mail over HTTP, processes events from SES, and answers operators."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal
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
from email_consumer.api.resend.routes import ResendRoutes
from email_consumer.api.scheduled_mail import ScheduledMail
from email_consumer.api.statistics import Statistics
from email_consumer.api.stats_routes import StatsRoutes
from email_consumer.api.tenant_routes import TenantRoutes
from email_consumer.api.topic_routes import TopicRoutes
from email_consumer.api.unseen import Unseen, unseen_in
from email_consumer.api.waiting_routes import WaitingRoutes
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_queue import MailQueue
from email_consumer.core.unsent import Unsent
from email_consumer.holds.active_holds import ActiveHolds
from email_consumer.message.lane import Lane
from email_consumer.reputation.standing import Ask
from email_consumer.roles.access import build_access
from email_consumer.roles.dashboard import DashboardOptions, build_dashboard
from email_consumer.roles.events_out import no_events
from email_consumer.roles.feedback import FeedbackOptions, events_expected_from_now, open_feedback
from email_consumer.roles.holds import HoldsOptions, open_holds
from email_consumer.roles.http import HttpOptions, health_routes, listen
from email_consumer.roles.monitoring import RetentionOptions, build_metrics, build_operations, watch_unconsumed
from email_consumer.roles.parts import Parts
from email_consumer.roles.reputation import ReputationOptions, open_reputation
from email_consumer.roles.workers import Workers
from email_consumer.runtime.supervisor import OnCrash, Service
from email_consumer.scheduling.due_mail import DueMail
from email_consumer.scheduling.misfires import Misfires
from email_consumer.scheduling.publish_window import window_for
from email_consumer.scheduling.scheduler import Scheduler
from email_consumer.store.database import Database
from email_consumer.store.domain_days import DomainDays
from email_consumer.store.tenant_days import TenantDays
from email_consumer.tracking.open_routes import OpenRoutes
from email_consumer.tracking.opens import OpenRecorder
from email_consumer.tracking.tokens import OpenTokens


@dataclass(frozen=True, slots=True)
class ControlPlaneOptions:
    misfire: Literal["send", "skip"]
    misfire_limit: float
    """Seconds."""
    rate: float
    """Recipients a second."""
    idempotency_ttl: float
    keep_subjects: bool
    traced: bool
    """Whether mail belongs to the trace of the request that it came with."""
    default_sender: str
    zone: ZoneInfo
    """Of times without an offset, and of days."""
    audit_kept: float
    """Seconds that the audit log keeps an entry."""
    holds: HoldsOptions
    reputation: ReputationOptions
    feedback: FeedbackOptions
    dashboard: DashboardOptions
    retention: RetentionOptions
    http: HttpOptions


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
    ask_ses: Ask | None = None
    """Asks SES what it allows to be read; None without credentials."""
    events_settled: Callable[[], Awaitable[None]] = no_events
    """Returns once no event is on its way to JetStream that was read before."""
    other_queues: Sequence[MailQueue] = ()
    """Those of further sources."""


async def build_control_plane(parts: Parts, options: ControlPlaneOptions, resources: Resources) -> Callable[[], None]:
    """Start the control plane; its server is listening on return.

    The returned function has to be called after scheduled or held mail was stored.
    """
    database, workers = resources.database, resources.workers
    misfires = Misfires(database, options.misfire, options.misfire_limit)
    active_holds = ActiveHolds()
    mail, unsent = DueMail(database, active_holds), Unsent(parts.metrics)
    scheduler = Scheduler(
        mail,
        resources.queue,
        misfires,
        parts.dead_letters_of_keeping,
        unsent,
        dead_letter_writer=parts.dead_letter_writer,
        windows={lane: window_for(options.rate) for lane in Lane},
    )
    holds = await open_holds(parts, options.holds, database, workers, active_holds, released=scheduler.wake)
    reputation = await open_reputation(parts, options.reputation, database, workers, holds.list, ask=resources.ask_ses)
    feedback = await open_feedback(
        parts, options.feedback, database, workers, secrets=resources.secrets, reported=reputation.breaker.report
    )
    unconsumed = watch_unconsumed(parts)
    access = await build_access(parts, database, log_kept=options.audit_kept, zone=options.zone)
    dashboard = build_dashboard(
        parts,
        options.dashboard,
        database,
        workers,
        feedback.refused,
        holds=holds.list,
        unconsumed=unconsumed,
        key_is_current=access.keys.current,
    )
    metrics = build_metrics(
        parts,
        dashboard.snapshot,
        feedback.events,
        feedback.refused,
        events_expected=options.dashboard.events_expected,
        unconsumed=unconsumed,
        holds=holds,
        tenants=reputation.breaker.tenants,
    )
    parts.checks["ledger"] = database.check
    parts.checks["schedule"] = scheduler.check
    unseen = unseen_in(
        resources.queue,
        claims_visible=workers.claims_visible,
        unclaimed=lambda: workers.metrics.unclaimed,
        others=resources.other_queues,
    )
    routes = [
        *await _mail_routes(parts, options, resources, scheduler, unseen),
        *feedback.routes,
        *holds.routes,
        *TenantRoutes(TenantDays(database), holds.mail, holds.limits).routes(),
        *reputation.routes,
        *_open_routes(parts, resources),
        *health_routes(parts, metrics),
        *build_operations(parts, options.retention, database, unseen, resources.events_settled),
        *LinkSecretRoutes(database, resources.secrets, workers.sign_links).routes(),
        *access.routes,
        *dashboard.routes,
        *resources.routes,
    ]
    parts.services.start(Service("scheduler", scheduler.run, on_crash=OnCrash.EXIT))  # it knows the cancellations now
    await listen(parts, options.http, routes, admits=dashboard.admits, access=access)
    events_expected_from_now(workers)
    parts.services.start(*feedback.services)  # they may say that events are expected later than now: after that

    def stored() -> None:
        scheduler.wake()
        holds.mail.stored()

    return stored


async def _mail_routes(
    parts: Parts, options: ControlPlaneOptions, resources: Resources, scheduler: Scheduler, unseen: Unseen
) -> list[web.RouteDef]:
    database, queue, zone = resources.database, resources.queue, options.zone
    cancellations = Cancellations(
        database,
        queue,
        resources.workers.cancel,
        scheduler.paused,
        unsent=Unsent(parts.metrics),
        claims_visible=resources.workers.claims_visible,
        forget=resources.workers.forget_cancellations,
    )
    await cancellations.load()
    store = MailStore(database, options.idempotency_ttl, keep_subjects=options.keep_subjects, traced=options.traced)
    return [
        *MessageRoutes(
            store,
            parts.metrics,
            zone=zone,
            max_payload=lambda: queue.max_payload,
            stored=scheduler.wake,
            default_sender=options.default_sender,
        ).routes(),
        *ResendRoutes(
            store,
            ScheduledMail(database, scheduler.paused, scheduler.wake, unsent=Unsent(parts.metrics)),
            zone=zone,
            max_payload=lambda: queue.max_payload,
            stored=scheduler.wake,
            default_sender=options.default_sender,
        ).routes(),
        *MailListRoutes(MailLists(database), zone).routes(),
        *MailHistory(database, unseen).routes(),
        *ContentRoutes(database, options.default_sender).routes(),
        *FindRoutes(database).routes(),
        *ReasonRoutes(database).routes(),
        *WaitingRoutes(database).routes(),
        *TopicRoutes(Statistics(database), cancellations, ProgressReader(database, unseen)).routes(),
        *DomainRoutes(DomainDays(database)).routes(),
        *StatsRoutes(
            database,
            lambda: resources.workers.account,
            zone,
            least_mails=options.reputation.thresholds.least_mails,
        ).routes(),
        *(route for archive in parts.archives[:1] for route in DeadLetterRoutes(archive).routes()),
    ]


def _open_routes(parts: Parts, resources: Resources) -> list[web.RouteDef]:
    opens = OpenRecorder(resources.database)
    parts.services.at_end(opens.flush)
    parts.services.start(Service("opens", opens.run))
    return OpenRoutes(OpenTokens(resources.secrets), opens.record).routes()
