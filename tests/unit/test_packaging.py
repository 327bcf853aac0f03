"""What lies beside the code agrees with it: the lock, the sample configuration, the README's table."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from email_consumer.settings import Settings, load_settings, variables

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())
_LOCK = (_ROOT / "requirements.lock").read_text()
_README = (_ROOT / "README.md").read_text()

_READ_BY_BOTOCORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def _documented() -> dict[str, tuple[str, ...]]:
    return {names[0]: names[1:] for names in variables().values()}


def _changed_by(defaults: Mapping[str, str]) -> dict[str, object]:
    """The settings that differ from the defaults when all of these are set."""
    found, default = load_settings(defaults), Settings()
    return {
        name: getattr(found, name) for name in Settings.model_fields if getattr(found, name) != getattr(default, name)
    }


def _requirements() -> list[str]:
    groups: dict[str, list[str]] = _PROJECT["dependency-groups"]
    return [*_PROJECT["project"]["dependencies"], *groups["dev"], *groups["bench"]]


@pytest.mark.parametrize("text", _requirements())
def test_the_lock_satisfies_each_requirement(text: str) -> None:
    requirement = Requirement(text)
    name = re.escape(canonicalize_name(requirement.name))
    pinned = re.findall(rf"^{name}==(\S+)", _LOCK, re.MULTILINE)
    assert pinned, f"{text} is not in requirements.lock; make it anew: ./run.sh lock"
    assert all(requirement.specifier.contains(version) for version in pinned)


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    blocks = re.split(r"^(?=\S)", _LOCK, flags=re.MULTILINE)[1:]
    assert all(re.match(r"[a-z0-9-]+==\S+", block) and "--hash=sha256:" in block for block in blocks)
    assert "://" not in _LOCK
    assert "--index" not in _LOCK


def test_the_sample_has_each_variable_with_its_default() -> None:
    lines = (_ROOT / ".env.sample").read_text().splitlines()
    sample = dict(line[1:].split("=", 1) for line in lines if re.match(r"#[A-Z0-9_]+=", line))
    assert set(sample) == set(_documented()) | _READ_BY_BOTOCORE
    assert _changed_by(sample) == {}
    assert {name for name, value in sample.items() if not value} == _unset() | _READ_BY_BOTOCORE
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_the_readme_has_each_variable_with_its_aliases_and_default() -> None:
    rows = re.findall(r"^\| `([A-Z_0-9]+)`(?: \(([^)]*)\))? \| (?:`([^`]*)`|\u2013) \|", _README, re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", aliases)) for name, aliases, _ in rows} == _documented()
    assert _changed_by({name: default for name, _, default in rows}) == {}
    assert {name for name, _, default in rows if not default} == _unset()


def _unset() -> set[str]:
    """Variables without a default."""
    return {names[0] for field, names in variables().items() if getattr(Settings(), field) in (None, ())}


def test_what_the_readme_links_to_is_there() -> None:
    targets = re.findall(r"\]\(((?!https?:)[^)]+)\)", _README)
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", _README, re.MULTILINE)
    }
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (_ROOT / target.partition("#")[0]).exists(), target


def test_the_image_gets_what_the_build_needs_and_nothing_else() -> None:
    allowed = {line[1:] for line in (_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert allowed == {name for line in copied for name in line.split()}
    assert all((_ROOT / name).exists() for name in allowed)
