"""What all tests share."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.distribution import Scheduler, rank
from tests.servers.aws_once import read_once
from tests.servers.sqs import SqsServer

MISSING = "is needed"
"""Part of the reason with which tests are skipped that need a program this machine hasn't."""
_OF_THIS_MACHINE = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SESV2",
    "AWS_ENDPOINT_URL_SNS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "https_proxy",
    "http_proxy",
)

read_once()
gc.disable()  # what is collected stays; looking at it again and again while there is ever more takes a sixth of the time

# A busy machine makes examples slow; that is no property of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid.partition("::")[0]))


def pytest_collection_finish() -> None:
    """Collected tests and imported modules stay; the garbage collector need not look at a million objects each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run for want of a program, which a row of dots doesn't show."""
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple) and MISSING in report.longrepr[2]
    )
    if reasons:
        listed = "; ".join(
            f"{count} {'test' if count == 1 else 'tests'}: {reason}" for reason, count in reasons.items()
        )
        terminalreporter.write_line(f"Not run on this machine: {listed}.", yellow=True)


@pytest.fixture(scope="session")
def sqs_server() -> Iterator[SqsServer]:
    """Of a process; each test makes its own queues there."""
    with SqsServer() as server:
        yield server


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The sandbox's credentials in the environment, nothing of this machine's; the path of the credentials file."""
    for name in _OF_THIS_MACHINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "credentials"
