"""The worker: what takes mail from the stream to SES."""

import asyncio
import math
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog

from email_consumer.admission.breaker import Breaker
from email_consumer.admission.pacer import Pacer
from email_consumer.daemon.nats import NatsSource
from email_consumer.daemon.sqs import SqsSource
from email_consumer.daemon.start import Ground
from email_consumer.feedback.unsubscribe import Unsubscribe
from email_consumer.in_hand import InHand
from email_consumer.intake.jetstream import JetStreamIntake
from email_consumer.ledger.decision import Policy
from email_consumer.ledger.sqlite import SqliteLedger
from email_consumer.message import EmailMessage
from email_consumer.pipeline import Compose, Pipeline
from email_consumer.ses.client import SesClient
from email_consumer.ses.governor import Governor
from email_consumer.settings import Settings
from email_consumer.settlement import Settlement
from email_consumer.slots import Slots
from email_consumer.sqs.receiver import SqsReceiver
from email_consumer.tracking.open_tracking import OpenTracking
from email_consumer.tracking.tokens import OpenTokens

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """The running parts, and the order in which they end."""

    ledger: SqliteLedger
    sources: tuple[NatsSource | SqsSource, ...]
    intakes: tuple[JetStreamIntake | SqsReceiver, ...]
    pacer: Pacer
    in_hand: InHand
    governor: Governor
    grace: float

    async def drain(self) -> None:
        """In the data's order; what outlasts the grace is in doubt afterwards, and the ledger knows it."""
        await asyncio.gather(*(intake.stop() for intake in self.intakes))  # nothing more is taken in hand
        self.pacer.close()  # who still waits for a turn goes back to the stream
        left = await self.in_hand.drain(self.grace)  # requests under way get their answer, and it is recorded
        if left:
            _log.warning("daemon.gave_up_waiting", deliveries=left, hint="they are in doubt now; the ledger knows them")
        await asyncio.gather(*(source.flush() for source in self.sources))


async def build_worker(ground: Ground, stack: AsyncExitStack) -> Worker:
    """Everything but the pulling, which begins when the intakes run."""
    settings, meters, nats = ground.settings, ground.meters, ground.nats
    sender = await stack.enter_async_context(_sender(settings))
    ledger = SqliteLedger(
        ground.database,
        ground.gate.check,
        Policy(settings.idempotency_ttl, settings.in_doubt, settings.in_doubt_grace, settings.max_attempts),
        inheritance=nats.inheritance if nats else None,
        valid_until=lambda: nats.tenancy.valid_until if nats else math.inf,
    )
    await stack.enter_async_context(ledger.running())
    pacer = Pacer(settings.ses_rate_per_sec, meters)
    slots = Slots(0)
    pace = _Pace(pacer, slots, settings.concurrency_limit)
    pace.set_rate(settings.ses_rate_per_sec)
    governor = Governor(rate=settings.ses_rate_per_sec, pace=pace, meters=meters, account=sender.account)
    await governor.look()
    pipeline = Pipeline(
        ledger=ledger,
        admission=ground.gate,
        pace=pacer,
        compose=_compose(settings, ground.secret),
        sender=sender,
        watchers=(Breaker(pacer), governor),
        settlement=Settlement(ledger, ground.dead_letters, meters, settings.retry_delay),
        meters=meters,
        max_attempts=settings.max_attempts,
        zone=ZoneInfo(settings.timezone),
    )
    in_hand = InHand(pipeline.handle, slots, meters, settings.ack_wait / 3)
    sources = tuple(ground.sources.values())
    intakes = tuple(source.intake(slots, in_hand.start) for source in sources)
    ground.background.append(("heartbeat", in_hand.keep_alive))
    ground.background.append(("governor", governor.run))
    return Worker(ledger, sources, intakes, pacer, in_hand, governor, settings.shutdown_grace)


def _sender(settings: Settings) -> SesClient:
    return SesClient(
        region=settings.aws_region,
        endpoint=settings.ses_endpoint,
        concurrency=settings.concurrency_limit,
        from_email=settings.from_email,
        configuration_set=settings.configuration_set,
        instance=settings.instance,
        read_timeout=settings.ses_timeout,
    )


def _compose(settings: Settings, secret: str) -> Compose:
    unsubscribe = Unsubscribe(settings.server_url, secret)
    tracking = OpenTracking(settings.track_opens, OpenTokens(secret), settings.server_url)

    def compose(message: EmailMessage, headers: Mapping[str, str]) -> EmailMessage:
        return tracking.compose(unsubscribe.compose(message), headers)

    return compose


@dataclass(frozen=True, slots=True)
class _Pace:
    """The pacer, and with it how much is taken in hand: about two seconds' worth, so that nothing ages here."""

    pacer: Pacer
    slots: Slots
    concurrency: int

    def set_rate(self, rate: float) -> None:
        self.pacer.set_rate(rate)
        self.slots.resize(min(self.concurrency, max(16, round(2 * rate))))

    def hold(self, holder: str, reason: str) -> None:
        self.pacer.hold(holder, reason)

    def resume(self, holder: str) -> None:
        self.pacer.resume(holder)
