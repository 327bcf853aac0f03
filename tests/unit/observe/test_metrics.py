"""What a scrape gets, read back by Prometheus' own parser."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from email_consumer.core.metrics import Distribution, Metrics
from email_consumer.core.outcome import InDoubt, Sent
from email_consumer.message.lane import Lane
from email_consumer.observe.loop_lag import measure
from email_consumer.observe.metrics import create_registry
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector
from tests.waiting import PATIENCE


def _scrape(metrics: Metrics) -> dict[str, list[Sample]]:
    text = generate_latest(create_registry(metrics)).decode()
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    return {
        sample.name: [s for s in family.samples if s.name == sample.name]
        for family in families
        for sample in family.samples
    }


def test_every_name_begins_with_email() -> None:
    assert all(name.startswith("email_") for name in _scrape(Metrics()))


def test_counters_and_gauges() -> None:
    metrics = Metrics(received=9, recipients_sent=12, unsettled=4, in_flight=3, rate=50.0, held="paused")
    metrics.outcomes.update({Sent: 5, InDoubt: 2})
    samples = _scrape(metrics)
    values = {name: found[0].value for name, found in samples.items() if len(found) == 1}
    assert values["email_received_total"] == 9
    assert values["email_sent_total"] == 5
    assert values["email_recipients_sent_total"] == 12
    assert values["email_unsettled"] == 4
    assert values["email_ses_requests_in_flight"] == 3
    assert values["email_rate_limit"] == 50
    assert values["email_held"] == 1
    outcomes = {sample.labels["outcome"]: sample.value for sample in samples["email_outcomes_total"]}
    assert outcomes["sent"] == 5
    assert outcomes["in_doubt"] == 2
    assert outcomes["exhausted"] == 0  # there from the start: a rate needs a first value
    assert len(outcomes) == 17


def test_histograms_are_cumulative_and_inclusive() -> None:
    metrics = Metrics()
    for seconds in (0.005, 0.0051, 40.0, 1e6):
        metrics.ses_call.observe(seconds)
    samples = _scrape(metrics)
    buckets = {sample.labels["le"]: sample.value for sample in samples["email_ses_call_seconds_bucket"]}
    assert (buckets["0.0025"], buckets["0.005"], buckets["0.01"]) == (0, 1, 2)
    assert (buckets["30.0"], buckets["60.0"], buckets["3600.0"], buckets["+Inf"]) == (2, 3, 3, 4)
    assert samples["email_ses_call_seconds_count"][0].value == 4
    assert samples["email_ses_call_seconds_sum"][0].value == pytest.approx(1_000_040.0101)


def test_the_wait_is_measured_by_lane_and_for_all_mail() -> None:
    metrics = Metrics()
    for lane, seconds in [(Lane.TRANSACTIONAL, 0.02), (Lane.BULK, 0.02), (Lane.BULK, 45.0)]:
        metrics.enqueue_to_ses[lane].observe(seconds)
    samples = _scrape(metrics)
    by_lane = {
        (sample.labels["lane"], sample.labels["le"]): sample.value
        for sample in samples["email_lane_enqueue_to_ses_seconds_bucket"]
    }
    assert (by_lane["transactional", "0.025"], by_lane["transactional", "+Inf"]) == (1, 1)
    assert (by_lane["bulk", "0.025"], by_lane["bulk", "+Inf"]) == (1, 2)
    both = {sample.labels["le"]: sample.value for sample in samples["email_enqueue_to_ses_seconds_bucket"]}
    assert (both["0.01"], both["0.025"], both["30.0"], both["60.0"]) == (0, 2, 2, 3)
    assert samples["email_enqueue_to_ses_seconds_sum"][0].value == pytest.approx(45.04)


def test_lanes_are_counted_apart_from_the_metrics_that_know_none() -> None:
    metrics = Metrics(bulk_held="the quota's reserve")
    metrics.outcomes[Sent] = 5
    metrics.sent_by_lane[Lane.TRANSACTIONAL] = 2
    samples = _scrape(metrics)
    assert _by_lane(samples["email_lane_sent_total"]) == {"transactional": 2, "bulk": 0}
    assert _by_lane(samples["email_lane_held"]) == {"transactional": 0, "bulk": 1}
    assert [(sample.labels, sample.value) for sample in samples["email_sent_total"]] == [({}, 5)]
    assert samples["email_held"][0].value == 0
    metrics.held = "paused"
    assert _by_lane(_scrape(metrics)["email_lane_held"]) == {"transactional": 1, "bulk": 1}


def _by_lane(samples: list[Sample]) -> dict[str, float]:
    return {sample.labels["lane"]: sample.value for sample in samples}


def test_queues_that_do_not_exist_are_absent() -> None:
    registry = CollectorRegistry()
    sampled = SampledMetrics(queue_messages=7, lane_queue_messages={Lane.BULK: 7})
    registry.register(SampledMetricsCollector(sampled))
    text = generate_latest(registry).decode()
    assert 'email_lane_queue_messages{lane="bulk"} 7.0' in text
    assert "email_queue_messages 7.0" in text
    assert "transactional" not in text


def test_the_process_is_measured() -> None:
    assert _scrape(Metrics())["email_process_resident_memory_bytes"][0].value > 1_000_000


class _Signalling(Distribution):
    """Tells when something was observed."""

    def __init__(self) -> None:
        super().__init__()
        self.observed: asyncio.Queue[float] = asyncio.Queue()

    def observe(self, seconds: float) -> None:
        self.observed.put_nowait(seconds)


async def test_a_blocked_loop_shows() -> None:
    lag = _Signalling()
    task = asyncio.create_task(measure(Metrics(loop_lag=lag), interval=0.01))
    await asyncio.sleep(0)  # lets the task set its timer
    time.sleep(0.1)  # noqa: ASYNC251 - what must not happen is what is measured
    assert await asyncio.wait_for(lag.observed.get(), PATIENCE) > 0.05
    task.cancel()
