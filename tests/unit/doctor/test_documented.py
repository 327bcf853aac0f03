"""docs/operations.md names each check of doctor and each metric."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import generate_latest

from email_consumer.core.metrics import Metrics
from email_consumer.observe.metrics import create_registry
from email_consumer.observe.sampled_metrics import SampledMetrics, SampledMetricsCollector

_ROOT = Path(__file__).parents[3]
_TEXT = (_ROOT / "docs" / "operations.md").read_text()
_FINDINGS = {"ok", "skipped", "warning", "error", "bad"}


def _checks() -> Iterator[str]:
    for path in (_ROOT / "email_consumer" / "doctor").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.args[0].value
                if ast.unparse(node.func).partition("(")[0].split(" ")[0] in _FINDINGS | {"finding"}:
                    yield str(name)


def test_each_check_is_there() -> None:
    documented = set(re.findall(r"`((?:settings|storage|nats|queue|sqs|ses|sns|server|loop)\.\w+|clock)`", _TEXT))
    written = set(_checks())
    assert len(written) > 30
    assert sorted(written - documented) == []
    assert sorted(documented - written - {"queue.stream", "queue.consumer"}) == []


def test_each_metric_is_there() -> None:
    registry = create_registry(Metrics())
    registry.register(SampledMetricsCollector(SampledMetrics(0, 0, 0, 0, 0, 0)))
    exported = set(re.findall(r"^# TYPE (\w+)", generate_latest(registry).decode(), re.MULTILINE))
    own = {name for name in exported if not name.startswith(("email_process_", "process_"))}
    documented = set(re.findall(r"`(email_\w+)", _TEXT)) - {"email_consumer"}
    assert sorted(own ^ documented) == []
