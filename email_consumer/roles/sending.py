"""The services that take mail from its sources to SES, and how they drain."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from email_consumer.core.careful_reader import ReadingJournal
from email_consumer.core.ledger import Ledger
from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.metrics import Metrics
from email_consumer.core.ramps import Ramps
from email_consumer.core.source import Receiver, Source
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage
from email_consumer.message.send_window import Window
from email_consumer.pipeline.allowances import Allowances
from email_consumer.pipeline.breaker import Breaker
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.pipeline.fair_shares import FairShares
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.pacer import Pacer
from email_consumer.pipeline.pipeline import Compose, Pipeline
from email_consumer.pipeline.ramp_gate import RampGate
from email_consumer.pipeline.send_windows import SendWindows
from email_consumer.pipeline.settlement import Settlement
from email_consumer.roles.paced_sender import PacedSender
from email_consumer.roles.parts import Parts
from email_consumer.runtime.supervisor import OnCrash, Service
from email_consumer.suppression.unsubscribe import Unsubscribe
from email_consumer.tracking.open_tracking import OpenTracking, TrackOpens
from email_consumer.tracking.tokens import OpenTokens

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SendingOptions:
    max_attempts: int
    retry_delay: float
    """Seconds before the second attempt."""
    heartbeat: float
    """Seconds between the heartbeats for unsettled deliveries."""
    grace: float
    """Seconds a drain waits."""
    bulk_window: Window | None
    timezone: str
    ramps: Ramps
    tenant_limits: TenantLimits
    from_email: str
    server_url: str
    """What links in mail begin with."""
    track_opens: TrackOpens
    traced: bool
    """Whether each delivery is recorded as a trace."""


@dataclass(frozen=True, slots=True)
class SendingServices:
    """Receivers, dispatcher and pacer, and the order in which they drain."""

    sources: tuple[Source, ...]
    receivers: tuple[Receiver, ...]
    pacer: Pacer
    dispatcher: Dispatcher
    grace: float
    before_drain: Callable[[], None]

    def services(self) -> list[Service]:
        """Start them last: mail is pulled from then on."""
        return [
            Service("heartbeat", self.dispatcher.keep_alive, drain=self.drain, on_crash=OnCrash.EXIT),
            *(Service("source", receiver.run, on_crash=OnCrash.EXIT) for receiver in self.receivers),
        ]

    async def drain(self) -> None:
        """Drain in the order in which mail flows. Whatever exceeds the grace period is in doubt, and the ledger knows it."""
        self.before_drain()
        await asyncio.gather(*(receiver.stop() for receiver in self.receivers))  # no more deliveries are started
        self.pacer.close()  # mail still waiting for its turn returns to its source
        abandoned = await self.dispatcher.drain(self.grace)  # requests in flight get their response, and it is recorded
        if abandoned:
            _log.warning(
                "daemon.gave_up_waiting", deliveries=abandoned, hint="they are in doubt now; the ledger knows them"
            )
        await asyncio.gather(*(source.flush() for source in self.sources))


def build_sending(
    parts: Parts,
    paced: PacedSender,
    options: SendingOptions,
    *,
    ledger: Ledger,
    gate: Gate,
    secrets: LinkSecrets,
    journal: ReadingJournal,
    before_drain: Callable[[], None] = lambda: None,
) -> SendingServices:
    """Build the services without starting them. `secrets` sign links in mail; `before_drain` is called first when draining."""
    metrics = parts.metrics
    pipeline = _pipeline(metrics, traced=options.traced)(
        ledger=ledger,
        gate=gate,
        windows=SendWindows(options.bulk_window, options.timezone),
        pacer=paced.pacer,
        compose=_compose(options, secrets),
        sender=Breaker(paced.sender, paced.pacer),
        observers=(paced.governor,),
        settlement=Settlement(ledger, parts.dead_letters, metrics, options.retry_delay, parts.dead_letter_writer),
        metrics=metrics,
        max_attempts=options.max_attempts,
        zone=ZoneInfo(options.timezone),
        journal=journal,
        allowances=Allowances(RampGate(options.ramps, options.from_email), options.tenant_limits),
        shares=FairShares(lambda: paced.slots[Lane.BULK].capacity),
    )
    gate.on_cancel(paced.pacer.drop_stopped)
    gate.holds.on_change(paced.pacer.drop_stopped)
    dispatcher = Dispatcher(pipeline.handle, metrics, options.heartbeat)
    receivers = tuple(
        source.receiver(slots := paced.slots[source.lane], partial(dispatcher.start, slots=slots))
        for source in parts.sources
    )
    return SendingServices(parts.sources, receivers, paced.pacer, dispatcher, options.grace, before_drain)


def _pipeline(metrics: Metrics, *, traced: bool) -> type[Pipeline]:
    if not traced:
        return Pipeline
    # Only their users have OpenTelemetry.
    from email_consumer.observe.traced_distribution import trace_durations  # noqa: PLC0415
    from email_consumer.pipeline.traced_pipeline import TracedPipeline  # noqa: PLC0415

    trace_durations(metrics)
    return TracedPipeline


def _compose(options: SendingOptions, secrets: LinkSecrets) -> Compose:
    unsubscribe = Unsubscribe(options.server_url, secrets)
    tracking = OpenTracking(options.track_opens, OpenTokens(secrets), options.server_url)

    def compose(message: EmailMessage, headers: Mapping[str, str]) -> EmailMessage:
        return tracking.compose(unsubscribe.compose(message), headers)

    return compose
