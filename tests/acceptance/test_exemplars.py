"""Latency histograms name traces: a real Prometheus that scrapes the real daemon gets from a bucket to its mail."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.acceptance.api.conftest import KEY, Api, serving
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.acceptance.test_traces import TRACE, publish
from tests.needs import needs
from tests.servers.otlp import OtlpReceiver
from tests.servers.prometheus import Prometheus
from tests.waiting import until

_HISTOGRAMS = {"email_ses_call_seconds", "email_enqueue_to_ses_seconds", "email_lane_enqueue_to_ses_seconds"}
_OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}


async def scrape(api: Api) -> list[Sample]:
    """As OpenMetrics."""
    url = f"http://127.0.0.1:{api.port}/metrics"
    async with api.session.get(url, headers=_OPEN_METRICS) as response:
        assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        families = text_string_to_metric_families(await response.text())  # type: ignore[no-untyped-call]
        return [sample for family in families for sample in family.samples]


def traces(samples: list[Sample]) -> dict[str, set[str]]:
    """By histogram, the traces that its buckets name."""
    found: dict[str, set[str]] = {}
    for sample in samples:
        if sample.exemplar:
            found.setdefault(sample.name.removesuffix("_bucket"), set()).add(sample.exemplar.labels["trace_id"])
    return found


@needs("prometheus")
async def test_prometheus_stores_the_trace_of_a_mail(harness: DaemonHarness) -> None:
    async with (
        OtlpReceiver() as receiver,
        serving(harness, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as api,
        Prometheus(harness.directory / "prometheus", api.port, KEY) as prometheus,
    ):
        await publish(harness, as_map("traced"))
        await harness.wait_sent(1)
        for name in _HISTOGRAMS:

            async def stored(name: str = name) -> bool:
                found = await prometheus.exemplars(f"{name}_bucket")
                return {each["labels"]["trace_id"] for each in found} == {TRACE}

            await until(stored)


async def test_they_are_shown_only_to_those_who_ask_for_them(harness: DaemonHarness) -> None:
    async with OtlpReceiver() as receiver, serving(harness, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as api:
        await publish(harness, as_map("traced"))
        await harness.wait_sent(1)
        await until(lambda: _shown(api))
        assert TRACE not in await api.text("/metrics")


async def test_without_traces_there_are_none(harness: DaemonHarness) -> None:
    async with serving(harness) as api:
        await publish(harness, as_map("traced"))
        await harness.wait_sent(1)
        await harness.emptied()
        samples = await scrape(api)
    assert traces(samples) == {}
    assert [sample.value for sample in samples if sample.name == "email_ses_call_seconds_count"] == [1]


async def _shown(api: Api) -> bool:
    return traces(await scrape(api)) == {name: {TRACE} for name in _HISTOGRAMS}
