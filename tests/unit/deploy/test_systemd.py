"""The systemd unit: accepted by systemd's own checks, locked down, with time to drain."""

import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from email_consumer.settings import Settings
from tests.needs import needs

_UNIT = Path(__file__).parents[3] / "deploy" / "email-consumer.service"
_INSTALLED = "/opt/email-consumer/bin/email-consumer"

pytestmark = needs("systemd-analyze")


def _analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """With a program that exists on this machine."""
    path = tmp_path / _UNIT.name
    path.write_text(_UNIT.read_text().replace(_INSTALLED, sys.executable))
    return path


def test_systemd_takes_it(unit: Path) -> None:
    verified = _analyze("verify", unit)
    assert (verified.returncode, verified.stdout) == (0, "")
    unit.write_text(unit.read_text().replace("Restart=always", "Restart=sometimes"))
    assert "sometimes" in _analyze("verify", unit).stdout


def test_it_is_locked_down(unit: Path) -> None:
    """2.0 of 10, where 10 is a service that may do everything."""
    checked = _analyze("security", "--offline=yes", "--threshold=20", unit)
    assert checked.returncode == 0, checked.stdout


def test_it_has_time_to_drain_and_keeps_its_file_where_it_may_write() -> None:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(_UNIT.read_text())
    service = parser["Service"]
    assert int(service["TimeoutStopSec"]) > Settings().shutdown_grace + 5
    assert service["Environment"] == f"DB_PATH=%S/{service['StateDirectory']}/email.db"
