"""API keys that anybody would try are refused at the start; short ones are warned of."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from email_consumer.cli import main
from email_consumer.doctor.configuration import check_api_keys
from email_consumer.doctor.finding import Severity
from email_consumer.settings.api_keys import short, well_known

GOOD = [
    "4f1c9d0b7a3e8852",
    "1234567890123456789012",
    "Test-8f3a9c0b-b1",
    "correct horse battery staple",
    "sékret-très-long",
]


@pytest.mark.parametrize(
    "key", ["local", "changeme", "Change-Me!", "secret", "test", "TEST123", "1234", "api_key", "x-api-key"]
)
def test_what_examples_say(key: str) -> None:
    assert well_known(key)
    assert check_api_keys([GOOD[0], key], public=True).severity is Severity.ERROR


@pytest.mark.parametrize("key", GOOD)
def test_what_nobody_would_try(key: str) -> None:
    assert not well_known(key)
    assert not short([key])


@pytest.mark.parametrize("command", ["run", "worker", "sidecar"])
def test_a_well_known_key_stops_the_start(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_KEY", f"{GOOD[0]},changeme")
    result = CliRunner().invoke(main, [command])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "API_KEY: holds a key that anybody would try first; set API_KEY to something like the output of `openssl rand -hex 24`"
    ]
