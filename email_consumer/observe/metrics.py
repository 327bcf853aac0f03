"""`/metrics`: the metrics under the names that Prometheus users expect, all beginning with `email_`."""

import re
from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from email_consumer.core.dead_letters import DeadLetterKind
from email_consumer.core.metrics import BOUNDS, Distribution, Metrics
from email_consumer.core.outcome import Outcome, Sent, StopReason
from email_consumer.core.unsent import DUPLICATE, ERASED
from email_consumer.message.lane import Lane

_OUTCOMES: dict[type[Outcome], str] = {
    kind: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower() for kind in get_args(Outcome)
}
_UNSENT = (DUPLICATE, ERASED, *StopReason, *DeadLetterKind)
_MOST_KINDS = 50
"""Of recommendations; SES has eight types and two impacts."""
_LIMITS = [*(str(bound) for bound in BOUNDS), "+Inf"]


def create_registry(metrics: Metrics) -> CollectorRegistry:
    """What `prometheus_client.generate_latest` takes. Others may register further collectors."""
    registry = CollectorRegistry()
    registry.register(MetricsCollector(metrics))
    ProcessCollector(namespace="email", registry=registry)
    return registry


class MetricsCollector(Collector):
    """Reads the metrics at each scrape; between scrapes it costs nothing."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """All metric families of the metrics."""
        metrics = self._metrics
        yield CounterMetricFamily("email_received", "Deliveries received.", metrics.received)
        yield CounterMetricFamily(
            "email_unknown_keys", "Keys of messages that mean nothing and were ignored.", metrics.unknown_keys
        )
        yield CounterMetricFamily("email_sent", "Mails that SES accepted.", metrics.outcomes[Sent])
        yield CounterMetricFamily(
            "email_recipients_sent", "Recipients of mails that SES accepted.", metrics.recipients_sent
        )
        yield CounterMetricFamily(
            "email_copies_left_out",
            "Copies of sent mails not sent to addresses that are suppressed or that safe mode stops.",
            metrics.copies_left_out,
        )
        outcomes = CounterMetricFamily(
            "email_outcomes", "Settled deliveries by what became of them.", labels=["outcome"]
        )
        for kind, name in _OUTCOMES.items():
            outcomes.add_metric([name], metrics.outcomes[kind])
        yield outcomes
        unsent = CounterMetricFamily(
            "email_unsent", "Mails that were settled for good without being sent, by reason.", labels=["reason"]
        )
        for reason in _UNSENT:
            unsent.add_metric([reason], metrics.unsent[reason])
        yield unsent
        yield CounterMetricFamily(
            "email_duplicates_changed",
            "Duplicates that say something else than the mail their uuid was finished for.",
            metrics.duplicates_changed,
        )
        yield GaugeMetricFamily("email_unsettled", "Deliveries pulled and not settled yet.", metrics.unsettled)
        yield GaugeMetricFamily("email_ses_requests_in_flight", "SES requests in flight.", metrics.in_flight)
        yield GaugeMetricFamily(
            "email_rate_limit", "Recipients a second that the pacer allows now; 0 while held.", metrics.rate
        )
        yield GaugeMetricFamily(
            "email_held", "1 while the queue is held for a reason that is not the mail's.", bool(metrics.held)
        )
        yield GaugeMetricFamily(
            "email_safe_mode", "1 while mail goes out to certain addresses only (safe mode).", metrics.safe_mode
        )
        yield GaugeMetricFamily(
            "email_limited_tenants", "Tenants whose mail waits for their limits.", metrics.limited_tenants
        )
        yield CounterMetricFamily("email_api_keys_refused", "Requests with a wrong API key.", metrics.api_keys_refused)
        yield CounterMetricFamily(
            "email_http_connections_evicted",
            "HTTP connections closed since they took too long, or too much room.",
            metrics.connections_evicted,
        )
        yield _histogram(
            "email_enqueue_to_ses_seconds",
            "From stored by the source to accepted by SES.",
            sum(metrics.enqueue_to_ses.values(), Distribution()),
        )
        yield _histogram("email_ses_call_seconds", "SES calls that were answered.", metrics.ses_call)
        yield _histogram("email_loop_lag_seconds", "How late the event loop came to a timer.", metrics.loop_lag)
        yield from _by_lane(metrics)
        yield from _events_out(metrics)
        yield from _standing(metrics)


def _by_lane(metrics: Metrics) -> Iterator[Metric]:
    """Separate families: a label on the others would change what existing queries mean."""
    sent = CounterMetricFamily("email_lane_sent", "Mails that SES accepted, by lane.", labels=["lane"])
    held = GaugeMetricFamily("email_lane_held", "1 while the lane is held.", labels=["lane"])
    waited = HistogramMetricFamily(
        "email_lane_enqueue_to_ses_seconds", "From stored by the source to accepted by SES, by lane.", labels=["lane"]
    )
    for lane in Lane:
        sent.add_metric([lane], metrics.sent_by_lane[lane])
        held.add_metric([lane], bool(metrics.held or (lane is Lane.BULK and metrics.bulk_held)))
        waited.add_metric([lane], _buckets(metrics.enqueue_to_ses[lane]), metrics.enqueue_to_ses[lane].total)
    yield from (sent, held, waited)


def _standing(metrics: Metrics) -> Iterator[Metric]:
    tenants = GaugeMetricFamily("email_ses_tenants", "Tenants that SES has paused, or may pause.", labels=["state"])
    tenants.add_metric(["paused"], metrics.tenants_paused)
    tenants.add_metric(["at_risk"], metrics.tenants_at_risk)
    yield tenants
    advice = GaugeMetricFamily(
        "email_ses_recommendations", "Open recommendations of SES's advisor.", labels=["type", "impact"]
    )
    for (kind, impact), count in metrics.recommendations.most_common(_MOST_KINDS):
        advice.add_metric([kind, impact], count)
    yield advice


def _events_out(metrics: Metrics) -> Iterator[Metric]:
    yield CounterMetricFamily("email_events_out_published", "Events out stored in JetStream.", metrics.events_published)
    yield GaugeMetricFamily(
        "email_events_out_waiting",
        "Events out that are not published or handed to webhooks yet.",
        metrics.events_waiting,
    )
    dropped = CounterMetricFamily("email_events_out_dropped", "Events out that were given up.", labels=["where"])
    for where in ("outbox", "jetstream", "webhook"):
        dropped.add_metric([where], metrics.events_dropped[where])
    yield dropped
    attempts = CounterMetricFamily("email_webhook_attempts", "Requests to webhook endpoints.", labels=["result"])
    for result in ("delivered", "failed"):
        attempts.add_metric([result], metrics.webhook_attempts[result])
    yield attempts
    yield GaugeMetricFamily(
        "email_webhooks_disabled", "Webhook endpoints that are disabled.", metrics.webhooks_disabled
    )


def _histogram(name: str, documentation: str, distribution: Distribution) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, documentation, buckets=_buckets(distribution), sum_value=distribution.total)


def _buckets(distribution: Distribution) -> list[tuple[str, int] | tuple[str, int, Exemplar]]:
    found: list[tuple[str, int] | tuple[str, int, Exemplar]] = [*zip(_LIMITS, distribution.cumulative(), strict=True)]
    for place, (trace_id, seconds, at) in distribution.exemplars.items():
        limit, count, *_ = found[place]
        found[place] = (limit, count, Exemplar({"trace_id": trace_id}, seconds, at))
    return found
