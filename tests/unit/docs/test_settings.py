"""docs/settings.md and .env.sample have every setting, with its aliases and default."""

import re
from collections.abc import Mapping
from pathlib import Path

from email_consumer.settings import Settings, load_settings, variables

_ROOT = Path(__file__).parents[3]
_TABLE = (_ROOT / "docs" / "settings.md").read_text()

_READ_BY_BOTOCORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def _documented() -> dict[str, tuple[str, ...]]:
    return {names[0]: names[1:] for names in variables().values()}


def _changed_by(defaults: Mapping[str, str]) -> dict[str, object]:
    """The settings that differ from the defaults when all of these are set."""
    found, default = load_settings(defaults), Settings()
    return {
        name: getattr(found, name) for name in Settings.model_fields if getattr(found, name) != getattr(default, name)
    }


def test_the_sample_has_each_variable_with_its_default() -> None:
    lines = (_ROOT / ".env.sample").read_text().splitlines()
    sample = dict(line[1:].split("=", 1) for line in lines if re.match(r"#[A-Z0-9_]+=", line))
    assert set(sample) == set(_documented()) | _READ_BY_BOTOCORE
    assert _changed_by(sample) == {}
    assert {name for name, value in sample.items() if not value} == _unset() | _READ_BY_BOTOCORE
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_table_has_each_variable_with_its_aliases_and_default() -> None:
    rows = re.findall(r"^\| `([A-Z_0-9]+)`(?: \(([^)]*)\))? \| (?:`([^`]*)`|\u2013) \|", _TABLE, re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", aliases)) for name, aliases, _ in rows} == _documented()
    assert _changed_by({name: default for name, _, default in rows}) == {}
    assert {name for name, _, default in rows if not default} == _unset()


def _unset() -> set[str]:
    """Variables without a default."""
    return {names[0] for field, names in variables().items() if getattr(Settings(), field) in (None, ())}
