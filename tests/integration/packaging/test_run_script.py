"""`./run.sh setup` lets uv trust what the machine trusts, unless the user decided otherwise."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.packaging.lock import ROOT

_UV = """#!/bin/sh
mkdir -p .venv
env >"$RECORD"
"""


def certificates(directory: Path, **variables: str) -> dict[str, str]:
    """The variables about certificates that uv is run with."""
    programs, project, record = directory / "bin", directory / "project", directory / "environment"
    programs.mkdir()
    (programs / "uv").write_text(_UV)
    (programs / "uv").chmod(0o755)
    project.mkdir()
    for name in ("run.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, project / name)
    for path in (ROOT / "packages").glob("*/pyproject.toml"):
        (project / path.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(path, project / path.relative_to(ROOT))
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(directory), "RECORD": str(record)}
    subprocess.run([project / "run.sh", "setup"], env=environment | variables, check=True, timeout=60)
    found = dict(line.partition("=")[::2] for line in record.read_text().splitlines())
    return {name: value for name, value in found.items() if name.startswith(("UV_", "SSL_"))}


def test_those_of_the_system(tmp_path: Path) -> None:
    assert certificates(tmp_path) == {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}


@pytest.mark.parametrize(
    "chosen",
    [
        {"UV_SYSTEM_CERTS": "false"},
        {"UV_NATIVE_TLS": "false"},
        {"SSL_CERT_FILE": "/company.pem"},
        {"SSL_CERT_DIR": "/company"},
    ],
    ids=str,
)
def test_those_that_the_user_chose(tmp_path: Path, chosen: dict[str, str]) -> None:
    assert certificates(tmp_path, **chosen) == chosen
