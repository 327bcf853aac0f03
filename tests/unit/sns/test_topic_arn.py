"""Topic names, and where their certificates are."""

from pathlib import Path

import pytest

from email_consumer.settings import SettingsError, load_settings
from email_consumer.sns.sandbox_certificate import SandboxCertificateError, sandbox_certificate
from email_consumer.sns.topic_arn import TopicArn
from tests.unit.feedback.sns_key import TOPIC, SnsKey


def test_a_topic_is_read_into_its_parts() -> None:
    topic = TopicArn.parse(TOPIC)
    assert topic == TopicArn("aws", "eu-west-1", "123456789012", "ses-events")
    assert topic.host == "sns.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    "text",
    ["", "ses-events", TOPIC + ":x", TOPIC + "\n", TOPIC.replace("sns", "sqs"), TOPIC.replace("eu-west-1", "x/y")],
)
def test_anything_else_is_a_bad_setting(text: str) -> None:
    with pytest.raises(ValueError, match="not the ARN"):
        TopicArn.parse(text)
    with pytest.raises(SettingsError, match=r"^SNS_TOPIC_ARNS: "):
        load_settings({"SNS_TOPIC_ARNS": f"{TOPIC},x{text.strip()}"})


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "sns.pem"
    path.write_bytes(SnsKey().pem)
    return path


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:9000"])
def test_the_sandbox_certificate_is_trusted_with_a_local_ses(pem: Path, endpoint: str) -> None:
    assert sandbox_certificate(pem, endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [None, "https://email.eu-west-1.amazonaws.com", "http://localhost.evil.example", "http://127.evil.example"],
)
def test_it_counts_nowhere_else(pem: Path, endpoint: str | None) -> None:
    assert sandbox_certificate(pem, endpoint) is None


def test_it_must_be_readable(tmp_path: Path) -> None:
    assert sandbox_certificate(None, "http://127.0.0.1") is None
    for content in (None, "no certificate"):
        path = tmp_path / f"{content}.pem"
        if content:
            path.write_text(content)
        with pytest.raises(SandboxCertificateError, match=r"^SANDBOX_CERTIFICATE: "):
            sandbox_certificate(path, "http://127.0.0.1")
