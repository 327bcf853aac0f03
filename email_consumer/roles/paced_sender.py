"""The SES client, the pacer, and the governor that keeps to the account's limits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.sender import Sender
from email_consumer.core.source import Source
from email_consumer.message.lane import Lane
from email_consumer.pipeline.pacer import Pacer
from email_consumer.pipeline.safe_sender import SafeSender
from email_consumer.reputation.standing import Ask
from email_consumer.roles.parts import Parts
from email_consumer.runtime.supervisor import OnCrash, Service
from email_consumer.ses.client import SesClient
from email_consumer.ses.governor import Governor
from email_consumer.ses.session import AwsSession

_MOST_BYTES = {Lane.BULK: 48 * 1024 * 1024, Lane.TRANSACTIONAL: 16 * 1024 * 1024}
"""Bytes of unsettled deliveries: five hundred mails of 1 MB would be too much for a small container."""


@dataclass(frozen=True, slots=True)
class SesOptions:
    region: str
    endpoint: str | None
    timeout: float
    """Seconds for one attempt."""
    connections: int
    from_email: str
    configuration_set: str | None
    delivery_limits: Sequence[tuple[int, str]]
    instance: str
    rate: float
    """Recipients a second; the account's own limit may be lower."""
    quota_reserve: float
    """Share of the daily quota that bulk mail leaves to transactional mail."""
    bulk_floor: float
    """Share of the rate that bulk mail keeps while transactional mail waits."""

    def client(self) -> SesClient:
        """Create the client without opening it."""
        open_session = partial(
            AwsSession.open,
            region=self.region,
            endpoint=self.endpoint,
            connections=self.connections,
            read_timeout=self.timeout,
        )
        return SesClient(
            open_session,
            region=self.region,
            from_email=self.from_email,
            configuration_set=self.configuration_set,
            delivery_limits=self.delivery_limits,
            instance=self.instance,
            timeout=self.timeout,
        )


@dataclass(frozen=True, slots=True)
class PacedSender:
    """Everything a mail passes on its way out."""

    sender: Sender
    pacer: Pacer
    slots: Mapping[Lane, DeliverySlots]
    governor: Governor
    ask: Ask
    """Asks SES what it allows to be read."""


async def open_paced_sender(parts: Parts, options: SesOptions) -> PacedSender:
    """Open the client and start the governor. On return the account's limits are known, if we are allowed to read them."""
    metrics = parts.metrics
    client = await parts.services.enter(options.client())
    sender = SafeSender(client, parts.safe_mode) if parts.safe_mode else client
    pacer = Pacer(options.rate, metrics, bulk_floor=options.bulk_floor)
    slots = {lane: DeliverySlots(0, most_bytes) for lane, most_bytes in _MOST_BYTES.items()}
    most = {Lane.TRANSACTIONAL: options.connections, Lane.BULK: options.connections}
    if any(source.lane is Lane.TRANSACTIONAL for source in parts.sources):
        most[Lane.BULK] -= _reserved(options.connections)
    pace = _Pace(pacer, slots, most)
    pace.set_rate(options.rate)
    governor = Governor(
        rate=options.rate,
        pace=pace,
        metrics=metrics,
        account=client.account,
        quota_reserve=options.quota_reserve,
        reserved=await used_before(parts.sources),
    )
    await governor.check_account()
    parts.services.start(Service("governor", governor.run, on_crash=OnCrash.EXIT))
    return PacedSender(sender, pacer, slots, governor, client.read)


async def used_before(sources: Iterable[Source]) -> bool:
    """Whether there has been transactional mail, as far as its sources remember."""
    return any([(await source.progress()).settled for source in sources if source.lane is Lane.TRANSACTIONAL])


def _reserved(concurrency: int) -> int:
    """Connections to SES that bulk mail leaves to transactional mail."""
    return min(max(1, concurrency // 10), concurrency - 1)


@dataclass(frozen=True, slots=True)
class _Pace:
    """Sets the pacer's rate together with the number of slots: about two seconds' worth, so that no mail ages here."""

    pacer: Pacer
    slots: Mapping[Lane, DeliverySlots]
    most: Mapping[Lane, int]

    def set_rate(self, rate: float) -> None:
        self.pacer.set_rate(rate)
        for lane, slots in self.slots.items():
            slots.resize(min(self.most[lane], max(16, round(2 * rate))))

    def hold(self, holder: str, reason: str) -> None:
        self.pacer.hold(holder, reason)

    def hold_bulk(self, holder: str, reason: str) -> None:
        self.pacer.hold_bulk(holder, reason)

    def resume(self, holder: str) -> None:
        self.pacer.resume(holder)
