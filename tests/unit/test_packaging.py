"""The lock satisfies pyproject.toml; the image gets what the build needs."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())
_PACKAGES = [tomllib.loads(path.read_text()) for path in sorted((_ROOT / "packages").glob("*/pyproject.toml"))]
_LOCK = (_ROOT / "requirements.lock").read_text()


def _requirements() -> list[str]:
    """All of ours and of each package, but for the sandbox itself, which is installed from the clone."""
    tables: list[list[str]] = []
    for project in (_PROJECT, *_PACKAGES):
        extras = project["project"].get("optional-dependencies", {})
        tables += [project["project"]["dependencies"], *extras.values(), *project["dependency-groups"].values()]
    return [text for table in tables for text in table if not text.startswith("ses-sandbox==")]


@pytest.mark.parametrize("text", _requirements())
def test_the_lock_satisfies_each_requirement(text: str) -> None:
    requirement = Requirement(text)
    name = re.escape(canonicalize_name(requirement.name))
    pinned = re.findall(rf"^{name}==(\S+)", _LOCK, re.MULTILINE)
    assert pinned, f"{text} is not in requirements.lock; regenerate it: ./run.sh lock"
    assert all(requirement.specifier.contains(version) for version in pinned)


def test_the_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    blocks = re.split(r"^(?=[^\s#])", _LOCK, flags=re.MULTILINE)[1:]
    assert all(re.match(r"[a-z0-9-]+==\S+", block) and "--hash=sha256:" in block for block in blocks)
    assert "://" not in _LOCK
    assert "--index" not in _LOCK


def test_the_image_gets_what_the_build_needs_and_nothing_else() -> None:
    allowed = {line[1:] for line in (_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert allowed == {name for line in copied for name in line.split()}
    assert all((_ROOT / name).exists() for name in allowed)


def test_the_version_is_released_in_the_changelog() -> None:
    headings = re.findall(r"^## (.+)$", (_ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    version = re.escape(_PROJECT["project"]["version"])
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{version} - \d{{4}}-\d\d-\d\d", headings[1])


def test_deployments_name_the_version() -> None:
    version = _PROJECT["project"]["version"]
    chart = yaml.safe_load((_ROOT / "deploy" / "helm" / "Chart.yaml").read_text())
    tags = re.findall(
        r"newTag: (\S+)", "".join(path.read_text() for path in _ROOT.glob("deploy/kubernetes/*/kustomization.yaml"))
    )
    assert {chart["appVersion"], *tags} == {version}
