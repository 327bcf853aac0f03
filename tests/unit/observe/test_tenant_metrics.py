"""Metrics by tenant: publishers choose the names, so they are bounded."""

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from email_consumer.core.tenant_sums import MOST_TENANTS, OTHERS, TenantSums
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector


def samples(sums: TenantSums, name: str) -> list[Sample]:
    registry = CollectorRegistry()
    registry.register(SampledMetricsCollector(SampledMetrics(tenants=sums)))
    return [sample for family in registry.collect() for sample in family.samples if sample.name == name]


def test_each_tenant_has_its_sums_from_the_start() -> None:
    sums = TenantSums()
    sums.add_sent("acme", 3)
    sums.add_sent(None, 2)
    sums.add_report("acme", bounced=True, complained=False)
    sums.add_report("early", bounced=False, complained=True)
    sums.add_report(None, bounced=True, complained=True)
    for name, values in {
        "email_tenant_sent_total": {"acme": 3, "early": 0},
        "email_tenant_bounces_total": {"acme": 1, "early": 0},
        "email_tenant_complaints_total": {"acme": 0, "early": 1},
    }.items():
        assert {sample.labels["tenant"]: sample.value for sample in samples(sums, name)} == values


def test_a_hundred_are_named_for_good() -> None:
    sums = TenantSums()
    for number in range(MOST_TENANTS + 20):
        sums.add_sent(f"t-{number}", 1)
        sums.add_report(f"t-{number}", bounced=True, complained=False)
    sums.add_sent("t-0", 1)
    for name in ("email_tenant_sent_total", "email_tenant_bounces_total"):
        found = {sample.labels["tenant"]: sample.value for sample in samples(sums, name)}
        assert len(found) == MOST_TENANTS + 1
        assert found[OTHERS] == 20
    assert sums.sent["t-0"] == 2
