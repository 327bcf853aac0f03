"""GitHub's workflows are valid, and give nobody more than is needed. What they do on GitHub can't be tried here."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from tests.needs import needs

_GITHUB = Path(__file__).parents[3] / ".github"
_WORKFLOWS = sorted((_GITHUB / "workflows").glob("*.yml"))


def _passes(*command: object) -> None:
    checked = subprocess.run(list(map(str, command)), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert checked.returncode == 0, checked.stdout.decode()


@pytest.mark.parametrize(
    ("schema", "path"),
    [*(("github-workflows", path) for path in _WORKFLOWS), ("renovate", _GITHUB / "renovate.json")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_it_is_what_its_schema_says(schema: str, path: Path) -> None:
    _passes(sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", path)


@needs("actionlint")
def test_expressions_and_scripts_are_sound() -> None:
    _passes("actionlint", *_WORKFLOWS)


def test_no_known_weakness() -> None:
    _passes(Path(sysconfig.get_path("scripts")) / "zizmor", "--offline", _GITHUB)


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.name)
def test_actions_of_others_are_pinned(path: Path) -> None:
    uses = re.findall(r"uses: ([^.\s].*)", path.read_text())
    assert uses
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", each) for each in uses)


def test_a_release_can_be_traced_to_its_source() -> None:
    jobs = yaml.safe_load((_GITHUB / "workflows" / "release.yml").read_text())["jobs"]
    steps = {
        each["uses"].partition("@")[0]: each.get("with", {})
        for job in jobs.values()
        for each in job.get("steps", ())
        if "uses" in each
    }
    assert jobs["publish"]["environment"] == "pypi"
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert steps["pypa/gh-action-pypi-publish"] == {"attestations": True}  # no password: trusted publishing
    image = steps["docker/build-push-action"]
    assert image["platforms"] == "linux/amd64,linux/arm64"
    assert (image["sbom"], image["provenance"]) == (True, "mode=max")
    assert {"labels", "annotations"} <= image.keys()
    assert "org.opencontainers.image.licenses=MIT" in steps["docker/metadata-action"]["labels"]
    assert steps["actions/attest-build-provenance"]["push-to-registry"]
    assert {needed for name in ("publish", "image") for needed in jobs[name]["needs"]} == {"test", "install"}
