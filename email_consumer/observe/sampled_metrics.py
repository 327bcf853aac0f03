"""What has to be asked for, unlike the metrics: looked up now and then, so that a scrape costs nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.tenant_sums import TenantSums
from email_consumer.message.lane import Lane


@dataclass(slots=True)
class SampledMetrics:
    """The newest values; None means unknown at the moment, and the metric is then absent."""

    queue_messages: float | None = None
    """Mails in the stream that are waiting, without unsettled deliveries."""
    queue_oldest_seconds: float | None = None
    """Age of the oldest of them; 0 if the queue is empty."""
    dead_letters: float | None = None
    in_doubt: float | None = None
    """Mails that SES may or may not have accepted."""
    quota_used: float | None = None
    """Recipients in the last 24 hours, of everyone who sends by this account."""
    quota_limit: float | None = None
    """None also where SES sets no limit."""
    unconsumed: Unconsumed = field(default_factory=Unconsumed)
    """What lies in the stream for nobody."""
    events_expected: bool = False
    """SNS_TOPIC_ARNS names a topic."""
    events: Counter[str] = field(default_factory=Counter)
    """SES's events by kind, since the start."""
    events_refused: Counter[str] = field(default_factory=Counter)
    """SNS messages that were refused, by cause, since the start."""
    lane_queue_messages: dict[Lane, float] = field(default_factory=dict)
    """`queue_messages` by lane; without lanes that don't exist or are unknown."""
    lane_queue_oldest_seconds: dict[Lane, float] = field(default_factory=dict)
    """`queue_oldest_seconds` by lane."""
    holds: Mapping[str, int] = field(default_factory=dict)
    """Active holds by holder."""
    held_mails: float = 0.0
    """Mails in the store that wait for holds."""
    tenants: TenantSums = field(default_factory=TenantSums)
    tenant_held_mails: Mapping[str, int] = field(default_factory=dict)
    """Mails that wait for a hold on their tenant, by tenant; of as many tenants as may be named."""


_GAUGES = {
    "queue_messages": "Mails that wait in the stream, or for another attempt.",
    "queue_oldest_seconds": "Age of the oldest mail that is not settled.",
    "dead_letters": "Dead letters that nobody has replayed or removed.",
    "in_doubt": "Mails that SES may or may not have accepted.",
    "held_mails": "Mails that wait for a hold on their topic, tenant, lane or account.",
    "quota_used": "Recipients in the last 24 hours, by SES's count and ours since.",
    "quota_limit": "Recipients that SES allows in 24 hours.",
}
_HOLDERS = ("breaker", "canary", "operator", "ses")
_KINDS = ("Send", "Delivery", "Bounce", "Complaint", "Reject", "DeliveryDelay", "Open", "Click")
"""There from the start: a rate needs a first value."""


def _by_lane(sampled: SampledMetrics) -> dict[str, dict[Lane, float]]:
    return {
        "queue_messages": sampled.lane_queue_messages,
        "queue_oldest_seconds": sampled.lane_queue_oldest_seconds,
    }


def _by_tenant(sampled: SampledMetrics) -> Iterator[Metric]:
    """Bounded: see `TenantSums`."""
    sums = {
        "sent": (sampled.tenants.sent, "Mails that SES accepted, by tenant."),
        "bounces": (sampled.tenants.bounced, "Mails that bounced hard, by tenant."),
        "complaints": (sampled.tenants.complained, "Mails that were complained about, by tenant."),
    }
    for name, (counts, documentation) in sums.items():
        family = CounterMetricFamily(f"email_tenant_{name}", documentation, labels=["tenant"])
        for tenant in sampled.tenants.sent:
            family.add_metric([tenant], counts[tenant])
        yield family
    held = GaugeMetricFamily(
        "email_tenant_held_mails", "Mails that wait for a hold on their tenant, by tenant.", labels=["tenant"]
    )
    for tenant, mails in sampled.tenant_held_mails.items():
        held.add_metric([tenant], mails)
    yield held


class SampledMetricsCollector(Collector):
    def __init__(self, sampled: SampledMetrics) -> None:
        self._sampled = sampled

    def collect(self) -> Iterator[Metric]:
        """All metric families of the sampled values."""
        sampled = self._sampled
        for name, documentation in _GAUGES.items():
            value = getattr(sampled, name)
            if value is not None:
                yield GaugeMetricFamily(f"email_{name}", documentation, value)
        for name, values in _by_lane(sampled).items():
            family = GaugeMetricFamily(f"email_lane_{name}", f"{_GAUGES[name][:-1]}, by lane.", labels=["lane"])
            for lane, value in values.items():
                family.add_metric([lane], value)
            yield family
        lost = GaugeMetricFamily(
            "email_unconsumed_messages",
            "Messages in the stream on subjects that no consumer takes: nobody sends them.",
            labels=["subject"],
        )
        for subject, count in sampled.unconsumed.subjects:
            lost.add_metric([subject], count)
        if sampled.unconsumed.others:
            lost.add_metric(["(others)"], sampled.unconsumed.others)
        yield lost
        holds = GaugeMetricFamily("email_holds", "Active holds, by who placed them.", labels=["holder"])
        for holder, count in {**dict.fromkeys(_HOLDERS, 0), **sampled.holds}.items():
            holds.add_metric([holder], count)
        yield holds
        yield GaugeMetricFamily("email_events_expected", "1 if SES events are expected.", sampled.events_expected)
        events = CounterMetricFamily("email_events", "Events of SES by kind.", labels=["kind"])
        for kind, count in {**dict.fromkeys(_KINDS, 0), **sampled.events}.items():
            events.add_metric([kind], count)
        yield events
        refused = CounterMetricFamily(
            "email_events_refused", "SNS messages that were refused, by cause.", labels=["cause"]
        )
        for cause, count in sampled.events_refused.items():
            refused.add_metric([cause], count)
        yield refused
        yield from _by_tenant(sampled)
