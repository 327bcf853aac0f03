"""Names of variables: what looks like a misspelled one of ours, and two names of one setting."""

import pytest

from email_consumer.settings import variables
from email_consumer.settings.names import contradictions, misspelled


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SES_RATE_PER_SECOND", "SES_RATE_PER_SEC"),
        ("ses_rate_per_sec", "SES_RATE_PER_SEC"),
        ("MAX_CONCURRENCY", "MAX_CONCURRENT"),
        ("API_KEYS", "API_KEY"),
        ("FROM_MAIL", "FROM_EMAIL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("AWS_REGON", "AWS_REGION"),
        ("IDEMPOTENCE_TTL", "IDEMPOTENCY_TTL"),
    ],
)
def test_a_misspelled_variable_is_recognized(name: str, meant: str) -> None:
    assert misspelled([name]) == {name: meant}


def test_what_others_put_into_an_environment_is_left_alone() -> None:
    injected = ["NATS_PORT", "NATS_SERVICE_HOST", "NATS_SERVICE_PORT", "NATS_PORT_4222_TCP", "SERVER_PORT_3000_TCP"]
    aws = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SES", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"]
    usual = ["PATH", "HOME", "HOST", "PORT", "TZ", "LANG", "HOSTNAME", "SENTRY_RELEASE", "SENTRY_ENVIRONMENT"]
    assert misspelled(injected + aws + usual) == {}


def test_our_own_names_are_not_misspelled() -> None:
    assert misspelled(name for names in variables().values() for name in names) == {}


def test_two_names_of_one_setting_with_different_values_are_found() -> None:
    environ = {"EMAIL_RATE": "7", "SES_RATE_PER_SEC": "9", "MAX_SEND_PER_SECOND": "9", "SERVER_HOST": "http://a"}
    assert contradictions(environ) == [("SES_RATE_PER_SEC", "EMAIL_RATE")]
    assert contradictions({"EMAIL_RATE": "7", "SES_RATE_PER_SEC": ""}) == []
