"""What no server here can be made to do: another clock, an old nats-server, a full disk."""

from pathlib import Path

import pytest

from email_consumer.aws.control_plane import Clocks
from email_consumer.doctor.account import check_clock
from email_consumer.doctor.nats import check_server
from email_consumer.doctor.storage import check_storage


@pytest.mark.parametrize(
    ("ours", "severity", "words"),
    [
        (1_000.9, "ok", "agrees"),
        (1_045.0, "warning", "45 s ahead of"),
        (700.0, "error", "300 s behind"),
    ],
)
def test_the_clock(ours: float, severity: str, words: str) -> None:
    finding = check_clock(Clocks(aws=1_000.0, ours=ours))
    assert finding.severity == severity
    assert words in finding.text


@pytest.mark.parametrize(("version", "severity"), [("2.9.25", "warning"), ("2.11.0-RC.1", "ok"), ("3.0.0", "ok")])
def test_the_version_of_the_server(version: str, severity: str) -> None:
    findings = {each.check: each for each in check_server(version, 1_048_576)}
    assert findings["nats.version"].severity == severity
    assert findings["nats.max_payload"].severity == "ok"


@pytest.mark.parametrize(
    ("low", "very_low", "severity"), [(2**80, 0, "warning"), (2**80, 2**80, "error"), (0, 0, "ok")]
)
def test_the_room_on_the_disk(tmp_path: Path, low: float, very_low: float, severity: str) -> None:
    findings = {each.check: each for each in check_storage(tmp_path / "email.db", low=low, very_low=very_low)}
    assert findings["storage.space"].severity == severity
