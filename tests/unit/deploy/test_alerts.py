"""Each alert rule fires when it should and not before, evaluated by Prometheus' own promtool."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from email_consumer.core.mail_queue import Unconsumed
from email_consumer.core.metrics import Metrics
from email_consumer.message.lane import Lane
from email_consumer.observe.metrics import create_registry
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector
from tests.needs import needs

_RULES = Path(__file__).parents[3] / "deploy" / "alerts.yaml"


@dataclass(frozen=True)
class Case:
    """Series at one-minute intervals in promtool's notation, and minutes by which the alert is quiet and firing."""

    series: Mapping[str, str]
    quiet: int
    fires: int


_SENT = "email_sent_total"
_OUTCOMES = 'email_outcomes_total{{outcome="{}"}}'
_EVENTS = 'email_events_total{{kind="{}"}}'

_CASES = {
    "EmailConsumerDown": Case({'up{job="email_consumer"}': "1 1 0x9", 'up{job="other"}': "0x9"}, quiet=3, fires=5),
    "EmailQueueHeld": Case({"email_held": "0 0 1x9"}, quiet=6, fires=8),
    "EmailHold": Case(
        {'email_holds{holder="breaker"}': "0 0 1x9", 'email_holds{holder="operator"}': "1x9"}, quiet=2, fires=4
    ),
    "EmailNothingSent": Case({"email_queue_messages": "7x60", _SENT: "0+5x10 50x50"}, quiet=12, fires=28),
    "EmailUnconsumed": Case({'email_unconsumed_messages{subject="messages.other"}': "0 0 2x9"}, quiet=6, fires=8),
    "EmailQueueOld": Case({"email_queue_oldest_seconds": "0+60x60"}, quiet=30, fires=40),
    "EmailTransactionalMailLate": Case(
        {
            'email_lane_queue_oldest_seconds{lane="transactional"}': "4x19 0 6x9",
            'email_lane_queue_oldest_seconds{lane="bulk"}': "900x40",
        },
        quiet=21,
        fires=23,
    ),
    "EmailThrottled": Case(
        {_OUTCOMES.format("throttled"): "0x20 6+6x60", _OUTCOMES.format("sent"): "0+50x80"}, quiet=20, fires=40
    ),
    "EmailFailing": Case(
        {_OUTCOMES.format("failed"): "0x20 30+30x60", _OUTCOMES.format("sent"): "0+50x80"}, quiet=20, fires=45
    ),
    "EmailDeadLetters": Case({"email_dead_letters": "3x40 4x40"}, quiet=39, fires=42),
    "EmailInDoubt": Case({"email_in_doubt": "0x5 2x60"}, quiet=30, fires=40),
    "EmailQuotaNearlyUsed": Case({"email_quota_used": "100x9 950x20", "email_quota_limit": "1000x30"}, 12, 18),
    "EmailEventsMissing": Case(
        {
            "email_events_expected": "1x90",
            _SENT: "0+5x90",
            _EVENTS.format("Send"): "0+5x20 100x70",
            _EVENTS.format("Delivery"): "0+5x20 100x70",
        },
        quiet=45,
        fires=60,
    ),
    "EmailEventsRefused": Case({'email_events_refused_total{cause="topic"}': "0x9 0+1x20"}, quiet=10, fires=20),
    "EmailBounces": Case(
        {_EVENTS.format("Bounce"): "0x30 4+4x60", _EVENTS.format("Send"): "0+40x90"}, quiet=30, fires=85
    ),
    "EmailComplaints": Case(
        {_EVENTS.format("Complaint"): "0x30 1+1x60", _EVENTS.format("Send"): "0+100x90"}, quiet=30, fires=80
    ),
    "EmailLoopLag": Case(
        {
            'email_loop_lag_seconds_bucket{le="0.25"}': "0+60x20 1200x60",
            'email_loop_lag_seconds_bucket{le="1.0"}': "0+60x80",
            'email_loop_lag_seconds_bucket{le="+Inf"}': "0+60x80",
        },
        quiet=25,
        fires=40,
    ),
    "EmailEventsOutWaiting": Case(
        {"email_events_out_waiting": "0x10 5x50", "email_events_out_published_total": "0+3x20 60x40"},
        quiet=25,
        fires=40,
    ),
    "EmailEventsOutDropped": Case({'email_events_out_dropped_total{where="webhook"}': "0x9 1x20"}, quiet=9, fires=15),
    "EmailWebhookDisabled": Case({"email_webhooks_disabled": "0x3 1x20"}, quiet=6, fires=12),
}


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(_RULES.read_text())["groups"] for rule in group["rules"]]


def test_each_rule_has_a_case_and_says_what_to_do() -> None:
    assert [rule["alert"] for rule in _rules()] == list(_CASES)
    for rule in _rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_each_rule_is_about_metrics_that_a_scrape_has() -> None:
    registry = create_registry(Metrics())
    readings = SampledMetrics(0, 0, 0, 0, 0, 0, Unconsumed((("messages.other", 1),)), events_refused=Counter(topic=1))
    readings.lane_queue_oldest_seconds = {Lane.TRANSACTIONAL: 0.0}
    registry.register(SampledMetricsCollector(readings))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    exported = {sample.name for family in families for sample in family.samples}
    for rule in _rules():
        assert set(re.findall(r"\bemail_\w+", rule["expr"])) - {"email_consumer"} <= exported


@needs("promtool")
@pytest.mark.parametrize("alert", _CASES)
def test_it_fires(alert: str, tmp_path: Path) -> None:
    case = _CASES[alert]
    firing = f'count by (alertname) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1}]
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{case.quiet}m", "exp_samples": []},
            {"expr": firing, "eval_time": f"{case.fires}m", "exp_samples": expected},
        ],
    }
    path = tmp_path / "test.json"
    path.write_text(json.dumps({"rule_files": [str(_RULES)], "evaluation_interval": "1m", "tests": [test]}))
    command = ["promtool", "test", "rules", str(path)]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
