"""The Grafana dashboard is one that can be imported, and asks for metrics that exist; `tests/acceptance` runs its queries."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[3]
_DOCUMENTED = set(re.findall(r"\bemail_\w+", (_ROOT / "docs" / "operations.md").read_text()))
_PROCESS = {"email_process_cpu_seconds_total", "email_process_resident_memory_bytes"}
"""The Prometheus client's own."""


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((_ROOT / "deploy" / "grafana.json").read_text())
    return loaded


def test_it_names_no_data_source_of_ours(dashboard: dict[str, Any]) -> None:
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {"datasource", "job", "instance"}
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
            assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_each_panel_says_what_it_shows_and_has_its_own_place(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] == "row" or panel["description"]
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
        assert one["x"] + one["w"] <= 24


def test_its_metrics_are_documented_and_are_selected_by_job_and_instance(dashboard: dict[str, Any]) -> None:
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert expressions
    for expression in expressions:
        found = re.findall(r'\b(email_\w+)\{job="\$job",instance=~"\$instance"', expression)
        assert found == re.findall(r"\bemail_\w+", expression)
        assert {name.removesuffix("_bucket") for name in found} <= _DOCUMENTED | _PROCESS
