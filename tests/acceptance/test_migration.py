"""docs/migration.md against the program: each variable is read, each path answers."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from email_consumer.settings import variables
from tests.acceptance.api.conftest import serving
from tests.acceptance.conftest import DaemonHarness

_PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()
_CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
_SERVICES = ["in Rust (HTTP API, SQLite)", "in Go (HTTP API, PostgreSQL)", "in Go on SQS", "in Rust on NATS"]


def _rows(service: str, header: str) -> list[list[str]]:
    """The cells of the table below this header, in the service's section."""
    section = _PAGE.partition(f"## The service {service}\n")[2].partition("\n## ")[0].splitlines()
    if header not in section:
        return []
    table = takewhile(lambda line: line.startswith("|"), section[section.index(header) + 2 :])
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def _names(cell: str) -> set[str]:
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", cell))


def test_each_service_has_its_section() -> None:
    assert re.findall(r"^## The service (.*)$", _PAGE, re.MULTILINE) == _SERVICES


@pytest.mark.parametrize("service", _SERVICES)
def test_each_variable_is_read(service: str) -> None:
    read = {name: names[0] for names in variables().values() for name in names} | dict.fromkeys(_CREDENTIALS, "")
    rows = _rows(service, "| there | to do | here |")
    assert len(rows) >= 8
    for there, to_do, here in rows:
        assert _names(here) <= set(read), here
        if to_do.startswith("nothing to do"):
            assert {read.get(name) for name in _names(there)} <= _names(here), there


def test_what_is_new_for_all_is_read() -> None:
    documented = {names[0] for names in variables().values()}
    new = re.findall(r"^\| `([A-Z_]+)` \|", _PAGE.partition("## The service")[0], re.MULTILINE)
    assert len(new) == 4
    assert set(new) <= documented


async def test_each_path_answers(harness: DaemonHarness) -> None:
    async with serving(harness) as api:
        _, document = await api.ask("GET", "/openapi.json")
    served = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    rows = [row for service in _SERVICES for row in _rows(service, "| path there | path here |")]
    assert len(rows) == 17
    named = {cell.strip("`") for row in rows for cell in row}
    assert named - served == set()
