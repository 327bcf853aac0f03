"""The settings, by the part of a role that uses them. This is the one place where a role reads `Settings`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from email_consumer.core.safe_mode import SafeMode
from email_consumer.jetstream.connection import NatsEndpoint
from email_consumer.ledgers.rule import Policy
from email_consumer.message.lane import Lane
from email_consumer.reputation.rule import Thresholds
from email_consumer.roles.control_plane import ControlPlaneOptions
from email_consumer.roles.dashboard import DashboardOptions
from email_consumer.roles.events_out import EventsOutOptions
from email_consumer.roles.feedback import FeedbackOptions
from email_consumer.roles.holds import HoldsOptions
from email_consumer.roles.http import HttpOptions
from email_consumer.roles.monitoring import RetentionOptions
from email_consumer.roles.nats import NatsOptions
from email_consumer.roles.paced_sender import SesOptions
from email_consumer.roles.reputation import ReputationOptions
from email_consumer.roles.sending import SendingOptions
from email_consumer.roles.sources import SourceOptions
from email_consumer.roles.sqs import SqsOptions
from email_consumer.roles.tracing import tracing_is_on
from email_consumer.roles.waiting_server import ServerAddress
from email_consumer.settings import Settings
from email_consumer.settings.kept_streams import kept_streams
from email_consumer.settings.mail_stream import mail_stream
from email_consumer.settings.nats_endpoint import nats_endpoint
from email_consumer.settings.safe_mode import safe_mode_of
from email_consumer.suppression.unsubscribe_page import Sender

_DAY = 86_400.0
_HEARTBEATS = 3
"""Within the time after which a delivery without one is delivered again."""


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """What `run`, `worker` and `sidecar` are built with; each uses what it needs."""

    public: Mapping[str, Any]
    """The settings that the start-up line shows."""
    sentry_dsn: str | None
    traces_to: str | None
    """An endpoint of OpenTelemetry."""
    local: bool
    """Only requests from this machine are served."""
    safe_mode: SafeMode | None
    db_path: Path
    group_reads: bool
    copy_rows: bool
    policy: Policy
    claim_lease: float
    """Seconds."""
    keep_subjects: bool
    nats: NatsOptions
    sources: SourceOptions
    ses: SesOptions
    sending: SendingOptions
    http: HttpOptions
    events_out: EventsOutOptions
    control_plane: ControlPlaneOptions


def role_options(settings: Settings, *, local: bool = False) -> RoleOptions:
    endpoint = nats_endpoint(settings)
    server = ServerAddress(settings.server_port, settings.server_bind)
    queues = {Lane.BULK: settings.sqs_queue_url, Lane.TRANSACTIONAL: settings.sqs_transactional_queue_url}
    sqs = SqsOptions(
        region=settings.aws_region,
        endpoint=settings.sqs_endpoint,
        mail_queues={lane: url for lane, url in queues.items() if url},
        visibility=settings.ack_wait,
    )
    http = HttpOptions(
        server,
        keys=[key.get_secret_value() for key in settings.api_key],
        on_loopback=settings.on_loopback,
        concurrency=settings.concurrency_limit,
    )
    return RoleOptions(
        public=settings.public(),
        sentry_dsn=settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None,
        traces_to=settings.otel_endpoint,
        local=local,
        safe_mode=safe_mode_of(settings),
        db_path=settings.db_path,
        group_reads=settings.db_group_read,
        copy_rows=settings.copy_rows,
        policy=Policy(settings.idempotency_ttl, settings.in_doubt, settings.in_doubt_grace, settings.max_attempts),
        claim_lease=settings.claim_lease,
        keep_subjects=settings.keep_subjects,
        nats=NatsOptions(endpoint, mail_stream(settings), server),
        sources=SourceOptions(settings.source, sqs),
        ses=SesOptions(
            region=settings.aws_region,
            endpoint=settings.ses_endpoint,
            timeout=settings.ses_timeout,
            connections=settings.concurrency_limit,
            from_email=settings.from_email,
            configuration_set=settings.configuration_set,
            delivery_limits=settings.delivery_limits,
            instance=settings.instance,
            rate=settings.ses_rate_per_sec,
            quota_reserve=settings.quota_reserve,
            bulk_floor=settings.bulk_floor,
        ),
        sending=SendingOptions(
            max_attempts=settings.max_attempts,
            retry_delay=settings.retry_delay,
            heartbeat=settings.ack_wait / _HEARTBEATS,
            grace=settings.shutdown_grace,
            bulk_window=settings.bulk_send_window,
            timezone=settings.timezone,
            ramps=settings.ramps,
            tenant_limits=settings.tenant_limits,
            from_email=settings.from_email,
            server_url=settings.server_url,
            track_opens=settings.track_opens,
            traced=tracing_is_on(settings.otel_endpoint),
        ),
        http=http,
        events_out=EventsOutOptions(
            to=settings.events_out,
            endpoint=endpoint,
            stream=settings.stream,
            replicas=settings.nats_replicas,
            max_bytes=settings.events_max_bytes,
            allow_private=settings.webhook_allow_private,
            traced=tracing_is_on(settings.otel_endpoint),
            default_sender=settings.from_email,
        ),
        control_plane=_control_plane(settings, http, sqs, endpoint),
    )


def _control_plane(
    settings: Settings, http: HttpOptions, sqs: SqsOptions, endpoint: NatsEndpoint
) -> ControlPlaneOptions:
    return ControlPlaneOptions(
        misfire=settings.misfire,
        misfire_limit=settings.misfire_limit,
        rate=settings.ses_rate_per_sec,
        idempotency_ttl=settings.idempotency_ttl,
        keep_subjects=settings.keep_subjects,
        traced=tracing_is_on(settings.otel_endpoint),
        default_sender=settings.from_email,
        zone=ZoneInfo(settings.timezone),
        audit_kept=settings.audit_retention_days * _DAY,
        holds=HoldsOptions(settings.ramps, settings.tenant_limits),
        reputation=ReputationOptions(
            Thresholds(
                settings.bounce_warn,
                settings.bounce_stop,
                settings.complaint_warn,
                settings.complaint_stop,
                settings.reputation_mails,
            ),
            canary_mails=settings.topic_canary,
            canary_wait=settings.canary_wait,
            poll=settings.reputation_poll,
        ),
        feedback=FeedbackOptions(
            instance=settings.instance,
            topic_arns=settings.sns_topic_arns,
            sns_endpoint=settings.sns_endpoint,
            events_queue_url=settings.sns_events_queue_url,
            sqs=sqs,
            sandbox_certificate=settings.sandbox_certificate,
            ses_endpoint=settings.ses_endpoint,
            region=settings.aws_region,
            by_tenant=settings.suppression_scope == "tenant",
            mirrored=settings.suppression_mirror,
            soft_bounce_limit=settings.soft_bounce_limit,
            server_url=settings.server_url,
            sender=Sender(settings.sender, settings.sender_color),
        ),
        dashboard=DashboardOptions(
            public=settings.dashboard_public,
            key_set=bool(settings.api_key),
            events_expected=bool(settings.sns_topic_arns),
            timezone=settings.timezone,
        ),
        retention=RetentionOptions(
            keep=max(settings.retention_days * _DAY, settings.idempotency_ttl),
            streams=kept_streams(settings),
            endpoint=endpoint,
        ),
        http=http,
    )
