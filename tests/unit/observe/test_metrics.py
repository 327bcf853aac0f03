"""What a scrape gets, read back by Prometheus' own parser."""

import asyncio
import time

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from email_consumer.core.metrics import Distribution, Metrics
from email_consumer.core.outcome import InDoubt, Sent
from email_consumer.observe.loop_lag import measure
from email_consumer.observe.metrics import create_registry
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
    assert len(outcomes) == 16


@pytest.mark.parametrize("name", ["enqueue_to_ses", "ses_call"])
def test_histograms_are_cumulative_and_inclusive(name: str) -> None:
    metrics = Metrics()
    for seconds in (0.005, 0.0051, 40.0, 1e6):
        getattr(metrics, name).observe(seconds)
    samples = _scrape(metrics)
    buckets = {sample.labels["le"]: sample.value for sample in samples[f"email_{name}_seconds_bucket"]}
    assert (buckets["0.0025"], buckets["0.005"], buckets["0.01"]) == (0, 1, 2)
    assert (buckets["30.0"], buckets["60.0"], buckets["3600.0"], buckets["+Inf"]) == (2, 3, 3, 4)
    assert samples[f"email_{name}_seconds_count"][0].value == 4
    assert samples[f"email_{name}_seconds_sum"][0].value == pytest.approx(1_000_040.0101)


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
