"""Events from SES in the process that has the store, and the addresses that get no mail because of them."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.mail_group import MailReport
from email_consumer.feedback.event_routes import EventRoutes
from email_consumer.feedback.in_doubt_routes import InDoubtRoutes
from email_consumer.feedback.inbox import Inbox
from email_consumer.feedback.receiver import EventReceiver
from email_consumer.feedback.sqs_events import SqsEvents
from email_consumer.roles.parts import Parts
from email_consumer.roles.sqs import SqsOptions, open_events_queue
from email_consumer.roles.workers import Workers
from email_consumer.runtime.supervisor import OnCrash, Service
from email_consumer.sns.certificate_download import CertificateDownload
from email_consumer.sns.certificate_store import SqliteCertificateStore
from email_consumer.sns.certificates import Certificates
from email_consumer.sns.sandbox_certificate import sandbox_certificate
from email_consumer.sns.subscription import Subscriptions
from email_consumer.sns.verifier import Verifier
from email_consumer.store.database import Database
from email_consumer.suppression.mirror import Mirror
from email_consumer.suppression.routes import SuppressionRoutes
from email_consumer.suppression.rows import SuppressionRows
from email_consumer.suppression.suppression_list import SuppressionList
from email_consumer.suppression.unsubscribe import Unsubscribe
from email_consumer.suppression.unsubscribe_page import Sender, UnsubscribePage
from email_consumer.suppression.unsubscribe_routes import UnsubscribeRoutes


@dataclass(frozen=True, slots=True)
class FeedbackOptions:
    instance: str
    topic_arns: Sequence[str]
    """Those of SNS that events are accepted from."""
    sns_endpoint: str | None
    events_queue_url: str | None
    """The SQS queue that receives the events, where SNS does not post them here."""
    sqs: SqsOptions
    sandbox_certificate: Path | None
    ses_endpoint: str | None
    region: str
    """Of SES, and of its suppression list."""
    by_tenant: bool
    """Whether hard bounces and complaints of a tenant's mail stop that tenant's mail alone."""
    mirrored: bool
    """Whether suppressions are copied to SES's list."""
    soft_bounce_limit: int
    server_url: str
    sender: Sender


@dataclass(frozen=True, slots=True)
class Feedback:
    routes: list[web.RouteDef]
    services: list[Service]
    """To be started once events are expected."""
    events: Counter[str]
    """Events from SES by kind, since the start."""
    refused: Counter[str]
    """SNS messages by cause, since the start."""


async def open_feedback(
    parts: Parts,
    options: FeedbackOptions,
    database: Database,
    workers: Workers,
    *,
    secrets: LinkSecrets,
    reported: Callable[[MailReport], None],
) -> Feedback:
    """Load the suppressions, and be ready for events. `secrets` sign links in mail; `reported` gets every report about a mail."""
    rows = SuppressionRows(
        soft_bounce_limit=options.soft_bounce_limit, mirror=options.mirrored, by_tenant=options.by_tenant
    )
    suppressions = SuppressionList(database, rows, workers)
    await suppressions.load()
    inbox = Inbox(
        database,
        rows,
        workers,
        instance=options.instance,
        proven=workers.proven,
        missed=partial(events_expected_from_now, workers),
        life=workers.life,
        reported=reported,
    )
    await parts.services.enter(inbox.running())
    if options.mirrored:
        mirror = Mirror(database, region=options.region, endpoint=options.ses_endpoint)
        parts.services.start(Service("mirror", mirror.run))
    sandbox = sandbox_certificate(options.sandbox_certificate, options.ses_endpoint)
    certificates = Certificates(CertificateDownload(), SqliteCertificateStore(database))
    await certificates.load()
    verifier = Verifier(options.topic_arns, certificates, sandbox)
    receiver = EventReceiver(verifier, Subscriptions(options.sns_endpoint), inbox)
    services = []
    if options.events_queue_url:
        queue = await open_events_queue(options.sqs, options.events_queue_url, parts.services)
        events = SqsEvents(queue, receiver.handle, workers.events_expected_from)
        services.append(Service("events", events.run, on_crash=OnCrash.EXIT))
    routes = [
        *EventRoutes(receiver).routes(),
        *InDoubtRoutes(database).routes(),
        *SuppressionRoutes(suppressions).routes(),
        *UnsubscribeRoutes(
            Unsubscribe(options.server_url, secrets),
            suppressions,
            UnsubscribePage(options.sender),
        ).routes(),
    ]
    return Feedback(routes, services, inbox.counts.kinds, receiver.refusals.refused)


def events_expected_from_now(workers: Workers) -> None:
    workers.events_expected_from(time.time())
