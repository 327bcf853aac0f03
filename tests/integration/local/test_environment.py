"""Local mode never uses, nor even sees, the user's real account."""

import os
from pathlib import Path

import botocore.session
import pytest

from email_consumer.local.environment import use_local_servers
from email_consumer.settings import load_settings

_SANDBOX = "http://127.0.0.1:8025"


@pytest.fixture
def _real_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-west-1\n[profile live]\naws_access_key_id = AKIALIVE\naws_secret_access_key = live\n"
    )
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_PROFILE": "live",
        "AWS_ACCESS_KEY_ID": "AKIALIVE",
        "AWS_SECRET_ACCESS_KEY": "live",
        "AWS_SESSION_TOKEN": "live",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_ENDPOINT_URL_SQS": "https://sqs.example.com",
        "SOURCE": "sqs",
        "SQS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/mail",
        "SNS_EVENTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/events",
        "NATS_URL": "tls://nats.example.com",
        "NATS_CREDS": "/etc/nats.creds",
        "DB_PATH": "/var/lib/email.db",
        "FROM_EMAIL": "me@example.com",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_real_account")
def test_botocore_finds_only_the_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environ = dict(os.environ)
    use_local_servers(environ, "nats://127.0.0.1:4222", _SANDBOX, tmp_path)
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session()
    credentials = session.get_credentials()
    assert credentials
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("sandbox", "sandbox-secret", None)
    for service in ("sesv2", "sns", "sqs"):
        client = session.create_client(service, region_name="eu-west-1")
        assert client.meta.endpoint_url == _SANDBOX


@pytest.mark.usefixtures("_real_account")
def test_settings_point_at_the_local_servers_and_keep_the_rest(tmp_path: Path) -> None:
    environ = dict(os.environ)
    use_local_servers(environ, "nats://127.0.0.1:4222", _SANDBOX, tmp_path)
    settings = load_settings(environ)
    assert settings.nats_url == ("nats://127.0.0.1:4222",)
    assert settings.nats_creds is None
    assert settings.ses_endpoint == _SANDBOX
    assert settings.source == ("nats",)
    assert (settings.sqs_queue_url, settings.sns_events_queue_url, settings.sqs_endpoint) == (None, None, None)
    assert settings.db_path == tmp_path / "email.db"
    assert settings.from_email == "me@example.com"
