"""All checks, each with the settings it is about: what the others need first comes first, what can goes side by side."""

import asyncio
import re
from zoneinfo import ZoneInfo

from email_consumer.aws.client import UNREADABLE
from email_consumer.aws.control_plane import ControlPlane, control_plane
from email_consumer.aws.credentials import MissingCredentialsError
from email_consumer.doctor.account import check_account, check_clock, check_credentials
from email_consumer.doctor.advice import check_advice
from email_consumer.doctor.claims import check_claims, check_ledger_streams
from email_consumer.doctor.configuration import check_api_keys, check_safe_mode
from email_consumer.doctor.copied_rows import check_copied_rows
from email_consumer.doctor.events import check_events
from email_consumer.doctor.finding import Finding, error, ok, skipped
from email_consumer.doctor.fleet import check_replicas, check_sidecar, check_workers
from email_consumer.doctor.identity import check_identity
from email_consumer.doctor.nats import check_jetstream, check_server, connection
from email_consumer.doctor.queue import check_queue, check_transactional_lane
from email_consumer.doctor.queue_sample import check_waiting_mail
from email_consumer.doctor.receiver import check_receiver
from email_consumer.doctor.round_trip import RoundTrip
from email_consumer.doctor.running import check_running
from email_consumer.doctor.sqs import check_events_queue, check_source_queue
from email_consumer.doctor.storage import check_storage
from email_consumer.doctor.subscription import check_subscription
from email_consumer.doctor.tenants import check_tenants
from email_consumer.message.address import parse_address
from email_consumer.runtime.loopback import is_loopback
from email_consumer.settings import Settings
from email_consumer.settings.mail_stream import mail_stream
from email_consumer.settings.nats_endpoint import nats_endpoint
from email_consumer.settings.safe_mode import safe_mode_of
from email_consumer.sources.jetstream.drift import ConsumerNeeds
from email_consumer.sources.jetstream.topology import Topology


async def examine(settings: Settings, *, ses_calls_per_second: float = 1.0) -> list[Finding]:
    """Check everything that the settings name; changes nothing.

    Takes some seconds: SES allows one call other than sending per second, for the whole account.
    """
    groups = await asyncio.gather(
        _nats(settings),
        _queues(settings),
        _aws(settings, ses_calls_per_second),
        _receiver(settings),
        check_running(settings.sidecar_url),
    )
    keys = check_api_keys([key.get_secret_value() for key in settings.api_key], public=not settings.on_loopback)
    own = [
        ok("settings.valid", "All variables can be read."),
        keys,
        check_safe_mode(safe_mode_of(settings)),
        *check_storage(settings.db_path, group_reads=settings.db_group_read),
    ]
    return own + [finding for group in groups for finding in group]


async def send_through(settings: Settings, *, patience: float = 60.0) -> list[Finding]:
    """Send a mail to SES's simulator and follow it to the suppression list; `patience` in seconds, for each step."""
    if "nats" not in settings.source:
        return [skipped("loop.published", "Mail is published to NATS, and SOURCE names SQS alone.")]
    subject = re.sub(r"[*>]", "doctor", settings.subject)  # SUBJECT may be a filter, which nothing can be sent to
    key = settings.api_key[0].get_secret_value() if settings.api_key else None
    endpoint = nats_endpoint(settings)
    async with RoundTrip(endpoint, subject=subject, url=settings.sidecar_url, key=key, patience=patience) as trip:
        return await trip.run()


def unreadable(lines: str) -> list[Finding]:
    """What there is to say when the settings can't be read: a line for each of them."""
    failures = [
        error("settings.valid", f"{line}.", "Fix it in the environment or in .env.") for line in lines.splitlines()
    ]
    return [*failures, skipped("nats.reachable", _FIRST), skipped("ses.credentials", _FIRST)]


_FIRST = "Skipped: fix the settings first."


async def _nats(settings: Settings) -> list[Finding]:
    if "nats" not in settings.source and settings.ledger != "jetstream":
        return [skipped("nats.reachable", "Not needed: SOURCE names SQS alone.")]
    findings: list[Finding] = []
    async with connection(nats_endpoint(settings), findings) as client:
        if client is None:
            return [*findings, skipped("nats.jetstream", "There is no connection.")]
        findings += check_server(str(client._server_info["version"]), client.max_payload)  # noqa: SLF001 - no other way
        jetstream = await check_jetstream(client)
        findings += jetstream
        if jetstream[0].severity.exit_code:
            return [*findings, skipped("queue.stream", "There is no JetStream.")]
        needs = ConsumerNeeds.of(settings.subject, settings.ack_wait, settings.concurrency_limit)
        lane = Topology(client, mail_stream(settings)).transactional
        findings += await check_queue(client, stream=settings.stream, consumer=settings.consumer, needs=needs)
        findings += await check_transactional_lane(client, lane)
        findings.append(
            await check_waiting_mail(
                client,
                stream=settings.stream,
                subject=settings.subject,
                consumer=settings.consumer,
                zone=ZoneInfo(settings.timezone),
            )
        )
        findings += await check_replicas(client, stream=settings.stream, replicas=settings.nats_replicas)
        if settings.ledger == "jetstream":
            findings.append(await check_workers(client, stream=settings.stream))
            findings.append(await check_sidecar(client, stream=settings.stream))
            findings.append(await check_claims(client, stream=settings.stream))
            findings.append(await check_ledger_streams(client, stream=settings.stream))
            findings += await check_copied_rows(client, stream=settings.stream, wanted=settings.copy_rows)
    return findings


async def _queues(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    region, endpoint = settings.aws_region, settings.sqs_endpoint
    queues = {
        "SQS_QUEUE_URL": settings.sqs_queue_url,
        "SQS_TRANSACTIONAL_QUEUE_URL": settings.sqs_transactional_queue_url,
    }
    for variable, url in queues.items():
        if url and "sqs" in settings.source:
            elsewhere = "nats" in settings.source
            findings += await check_source_queue(
                variable, url, region=region, endpoint=endpoint, dead_letters_elsewhere=elsewhere
            )
    if settings.sns_events_queue_url:
        findings.append(await check_events_queue(settings.sns_events_queue_url, region=region, endpoint=endpoint))
    return findings


async def _aws(settings: Settings, per_second: float) -> list[Finding]:
    opening = control_plane(
        region=settings.aws_region,
        ses_endpoint=settings.ses_endpoint,
        sns_endpoint=settings.sns_endpoint,
        per_second=per_second,
    )
    try:
        async with opening as aws:
            return await _with_aws(settings, aws)
    except MissingCredentialsError:
        fix = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with an IAM role."
        findings = [error("ses.credentials", "There are no AWS credentials.", fix)]
        return [*findings, skipped("ses.standing", "Skipped without credentials.")]
    except UNREADABLE as failure:
        fix = "Check AWS_ENDPOINT_URL_SESV2, AWS_ENDPOINT_URL_SNS and HTTPS_PROXY."
        findings = [error("ses.credentials", f"The response is not from AWS ({failure!r}).", fix)]
        return [*findings, skipped("ses.standing", "SES does not respond.")]


async def _with_aws(settings: Settings, aws: ControlPlane) -> list[Finding]:
    account, findings = await check_credentials(aws)
    if aws.clocks:
        findings.append(check_clock(aws.clocks))
    if account:
        findings += check_account(account, settings.ses_rate_per_sec)
    elif findings[0].severity.exit_code > 1:
        return [*findings, skipped("ses.standing", "SES does not respond.")]
    stand_in = settings.ses_endpoint is not None and is_loopback(settings.ses_endpoint)
    findings += await check_identity(aws, parse_address(settings.from_email), stand_in=stand_in)
    topics, about_events = await check_events(
        aws, settings.configuration_set, settings.sns_topic_arns, stand_in=stand_in
    )
    findings += about_events
    limits = {name for _, name in settings.delivery_limits}
    sets = limits | ({settings.configuration_set} if settings.configuration_set else set())
    findings += await check_tenants(aws, parse_address(settings.from_email), sets)
    findings += await check_advice(aws)
    for topic in sorted(topics):
        findings += await check_subscription(aws, topic, settings.server_url, settings.sns_events_queue_url)
    return findings


async def _receiver(settings: Settings) -> list[Finding]:
    stand_in = settings.sns_endpoint is not None and is_loopback(settings.sns_endpoint)
    return await check_receiver(settings.server_url, events_expected=bool(settings.sns_topic_arns), stand_in=stand_in)
