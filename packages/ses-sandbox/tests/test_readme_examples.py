"""The README's examples work as they stand there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from ses_sandbox.testing import SandboxProcess

_TEXT = (Path(__file__).parents[1] / "README.md").read_text()
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


def _line(label: str) -> str:
    """The line of code for an SDK."""
    [line] = re.findall(rf"^\| {label} \| `(.*)` \|$", _TEXT, re.MULTILINE)
    return str(line)


def test_the_fixture_and_the_tests_that_use_it(tmp_path: Path) -> None:
    files = re.findall(r'^```python\n("""(\w+\.py): .*?)^```$', _TEXT, re.MULTILINE | re.DOTALL)
    assert [name for _, name in files] == ["conftest.py", "test_mail.py"]
    for content, name in files:
        (tmp_path / name).write_text(content)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "2 passed" in ran.stdout, ran.stdout


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.mark.usefixtures("credentials")
async def test_the_line_for_boto3(tmp_path: Path) -> None:
    async with SandboxProcess(tmp_path) as sandbox:
        client: Any = eval(_line("boto3"), {"boto3": boto3, "url": sandbox.url})  # noqa: S307 - our own README
        assert client.get_account()["SendingEnabled"] is True


@pytest.mark.usefixtures("credentials")
def test_the_line_for_the_cli_names_an_operation() -> None:
    """The CLI itself is not among what tests need."""
    program, service, operation, option, url = shlex.split(_line("AWS CLI"))
    assert (program, option, url) == ("aws", "--endpoint-url", "http://127.0.0.1:8025")
    assert hasattr(boto3.client(service), operation.replace("-", "_"))  # type: ignore[call-overload]
