"""The settings: aliases, defaults, and what is said about bad values."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from email_consumer.settings import Settings, SettingsError, load_settings, variables
from email_consumer.sources.jetstream.dead_letter import dead_letter_stream


def _faults(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return str(caught.value).splitlines()


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load_settings({}) == Settings()


@pytest.mark.parametrize(("field", "names"), [(field, names) for field, names in variables().items() if names[1:]])
def test_aliases_are_read_and_the_first_name_wins(field: str, names: tuple[str, ...]) -> None:
    values = {
        "from_email": "{}@example.com",
        "server_url": "http://{}.example.com",
        "log_level": "name{}=debug",
        "aws_region": "eu-west-1{}",
    }
    value = values.get(field, "1{}")
    for number, name in enumerate(names):
        lesser = {other: value.format(9) for other in names[number + 1 :]}
        found = getattr(load_settings({name: value.format(number), **lesser}), field)
        assert found == getattr(load_settings({names[0]: value.format(number)}), field)
        assert found != getattr(Settings(), field)


def test_an_empty_value_counts_as_not_set() -> None:
    assert load_settings({"SES_RATE_PER_SEC": "", "EMAIL_RATE": "7"}).ses_rate_per_sec == 7


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SES_RATE_PER_SEC", "0"),
        ("SES_RATE_PER_SEC", "nan"),
        ("MAX_CONCURRENT", "many"),
        ("CONCURRENCY_LIMIT", "10001"),
        ("MAX_ATTEMPTS", "0"),
        ("RETRY_DELAY", "-1"),
        ("FROM_EMAIL", "nobody"),
        ("AWS_SES_FROM_EMAIL", "a@b.example\r\nBcc: c@d.example"),
        ("CONFIGURATION_SET", "with space"),
        ("BULK_SEND_WINDOW", "weekdays"),
        ("DELIVERY_LIMITS", "300"),
        ("DELIVERY_LIMITS", "299:codes"),
        ("DELIVERY_LIMITS", "50401:codes"),
        ("DELIVERY_LIMITS", "300:a,300:b"),
        ("DELIVERY_LIMITS", "300:a,"),
        ("DELIVERY_LIMITS", "300:with space"),
        ("RECIPIENT_ALLOWLIST", "example.com,*.example.org"),
        ("RECIPIENT_ALLOWLIST", " , "),
        ("REDIRECT_ALL_TO", "qa@example.com,dev@example.com"),
        ("BOUNCE_STOP", "8 percent"),
        ("BOUNCE_WARN", "x%"),
        ("COMPLAINT_STOP", "101%"),
        ("TOPIC_CANARY", "-1"),
        ("RAMP", "news.example.com"),
        ("RAMP", "news.example.com:tomorrow"),
        ("RAMP", "news.example.com:9999-12-31"),
        ("RAMP_CURVE", "100,49"),
        ("RAMP_CURVE", "1" + "0" * 30),
        ("TENANT_RATE", "acme"),
        ("TENANT_RATE", "acme:0"),
        ("TENANT_RATE", "a b:5"),
        ("TENANT_RATE", "acme:5,acme:6"),
        ("TENANT_DAILY", "acme:49"),
        ("TENANT_DAILY", "*:many"),
        ("INSTANCE", "a.b"),
        ("STREAM", "a.b"),
        ("STREAM", "a*"),
        ("SUBJECT", "other.email"),
        ("NATS_URL", ","),
        ("NATS_REPLICAS", "6"),
        ("SOURCE", "nats,kafka"),
        ("SQS_QUEUE_URL", "my-queue"),
        ("SQS_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/mail.fifo"),
        ("SERVER_PORT", "70000"),
        ("SERVER_URL", "mail.example.com"),
        ("AWS_ENDPOINT_URL_SESV2", "ftp://example.com"),
        ("IN_DOUBT", "maybe"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TRACK_OPENS", "yes"),
        ("LOG_LEVEL", "loud"),
        ("RUST_LOG", "botocore=loud"),
        ("LOG_FORMAT", "xml"),
        ("NATS_URL", "http://nats.example.com"),
        ("NATS_URL", "nats://"),
        ("NATS_URL", "nats://nats.example.com:99999"),
        ("NATS_URL", "nats://nats.example.com:port"),
        ("NATS_URL", "nats://a b:4222"),
        ("NATS_URL", "nats://a,ws://b"),
        ("NATS_CREDS", "/nowhere/user.creds"),
        ("NATS_CA", "/nowhere/ca.pem"),
        ("AWS_REGION", "Frankfurt"),
        ("ACK_WAIT", "1e30"),
        ("IDEMPOTENCY_TTL", "1e300"),
        ("RETENTION_DAYS", "inf"),
        ("SES_RATE_PER_SEC", "1e12"),
        ("SES_RATE_PER_SEC", "1e-300"),
        ("MAX_ATTEMPTS", "1" + "0" * 30),
        ("SERVER_PORT", "3000.5"),
        ("SUBJECT", "messages..email"),
        ("SUBJECT", "messages.a>b"),
        ("SUBJECT", "messages.>.a"),
        ("CONSUMER", "a\u202eb"),
        ("SERVER_URL", "http://mail.example.com:99999"),
        ("SERVER_URL", "http://mail .example.com"),
        ("SERVER_URL", "http://mail.example.com?page=1"),
        ("DB_PATH", "/"),
        ("DASHBOARD_PUBLIC", "perhaps"),
        ("SHUTDOWN_GRACE", "1e9"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable_as_it_was_set(variable: str, value: str) -> None:
    (line,) = _faults({variable: value})
    assert line.startswith(f"{variable}: ")
    assert repr(value) in line


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"RETRY_DELAY": "soon"}, "RETRY_DELAY: must be a number (it is 'soon')"),
        ({"MAX_ATTEMPTS": "1.5"}, "MAX_ATTEMPTS: must be a whole number (it is '1.5')"),
        ({"KEEP_SUBJECTS": "perhaps"}, "KEEP_SUBJECTS: must be true or false (it is 'perhaps')"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT: must be 'auto', 'human' or 'json' (it is 'xml')"),
        ({"SENTRY_DSN": "foo"}, "SENTRY_DSN: is not a Sentry DSN, such as https://key@sentry.example.com/1"),
        ({"NATS_NKEY_SEED": "geheim"}, "NATS_NKEY_SEED: is not the seed of an nkey, which begins with SU"),
        ({"NATS_USER": "u"}, "NATS_PASSWORD: NATS_USER and NATS_PASSWORD are set together or not at all"),
        ({"NATS_PASSWORD": "geheim"}, "NATS_PASSWORD: NATS_USER and NATS_PASSWORD are set together or not at all"),
        (
            {"NATS_USER": "u", "NATS_PASSWORD": "geheim", "NATS_TOKEN": "geheim"},
            "NATS_CREDS: NATS_USER and NATS_TOKEN are set: use one way to log in to NATS (it is not set)",
        ),
        (
            {"NATS_CERT": __file__},
            "NATS_KEY: NATS_CERT and NATS_KEY are set together or not at all (it is not set)",
        ),
        ({"SERVER_BIND": "localhost"}, "SERVER_BIND: is not an IP address, such as 127.0.0.1 (it is 'localhost')"),
        ({"API_KEY": ","}, "API_KEY: holds no key"),
        ({"API_KEY": "geh eim"}, "API_KEY: a key is of visible ASCII characters alone: others can't stand in a header"),
        ({"API_KEY": "gehéim"}, "API_KEY: a key is of visible ASCII characters alone: others can't stand in a header"),
        ({"SERVER_URL": "http://u:geheim@h"}, "SERVER_URL: must not hold a user or password (it is '…@h')"),
        (
            {"NATS_URL": "ftp://u:ge/heim@h,nats://v:geheim@i"},
            "NATS_URL: must be URLs such as nats://127.0.0.1:4222 (also tls://, ws:// or wss://) (it is '…@h,…@i')",
        ),
        (
            {"STREAM": "s" * 300, "SUBJECT": "s.x"},
            f"STREAM: must be at most 200 bytes long (it is '{'s' * 80}…')",
        ),
    ],
)
def test_what_is_said_of_a_bad_value_helps_and_holds_no_secret(environ: dict[str, str], line: str) -> None:
    assert _faults(environ) == [line]


def test_each_bad_value_has_its_line() -> None:
    lines = _faults({"MAX_ATTEMPTS": "x", "IN_DOUBT": "x", "ACK_WAIT": "x"})
    assert [line.partition(":")[0] for line in lines] == ["ACK_WAIT", "MAX_ATTEMPTS", "IN_DOUBT"]


def test_secrets_are_not_printed() -> None:
    secrets = {
        "NATS_USER": "user",
        "NATS_PASSWORD": "geheim",
        "API_KEY": "geheim",
        "SENTRY_DSN": "https://geheim@sentry.example.com/1",
    }
    settings = load_settings(secrets)
    others = load_settings({"NATS_TOKEN": "geheim"})
    assert "geheim" not in repr(others) + str(others.model_dump())
    assert "geheim" not in repr(settings) + str(settings) + str(settings.model_dump()) + settings.model_dump_json()


def test_the_subject_follows_the_stream() -> None:
    (line,) = _faults({"STREAM": "mail", "SUBJECT": "messages.email"})
    assert line.startswith("SUBJECT: must be one of the stream's subjects, mail.<name>")
    settings = load_settings({"STREAM": "mail", "SUBJECT": "mail.out"})
    assert dead_letter_stream(settings.stream) == "mail-dead"


def test_a_source_on_sqs_needs_its_queue() -> None:
    assert _faults({"SOURCE": "sqs"}) == ["SQS_QUEUE_URL: must be set where SOURCE names sqs (it is not set)"]
    settings = load_settings({"SOURCE": "nats, sqs", "SQS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/mail"})
    assert settings.source == ("nats", "sqs")


def test_roles_apart_need_time_to_notice_that_the_sidecar_is_gone() -> None:
    fault = "IN_DOUBT_GRACE: must be at least 10 with LEDGER=jetstream (it is '4')"
    assert _faults({"LEDGER": "jetstream", "IN_DOUBT_GRACE": "4"}) == [fault]
    assert load_settings({"LEDGER": "sqlite", "IN_DOUBT_GRACE": "4"}).in_doubt_grace == 4


def test_lists_are_comma_separated() -> None:
    settings = load_settings({"NATS_URL": "nats://a:1, nats://b:2,", "API_KEY": "one,two"})
    assert settings.nats_url == ("nats://a:1", "nats://b:2")
    assert [key.get_secret_value() for key in settings.api_key] == ["one", "two"]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().db_path = Path("elsewhere")  # type: ignore[misc]


def test_tenants_have_limits_of_their_own_or_those_of_all_others() -> None:
    limits = load_settings({"TENANT_RATE": "acme: 0.5, *:20", "TENANT_DAILY": "globex:50"}).tenant_limits
    assert [limits.rate(tenant) for tenant in ("acme", "globex")] == [0.5, 20]
    assert [limits.day(tenant) for tenant in ("acme", "globex")] == [None, 50]
    assert [limits.covers(tenant) for tenant in ("globex", None)] == [True, False]
    assert not load_settings({}).tenant_limits


def test_shares_are_also_percentages_and_ramps_are_domains_with_their_first_day() -> None:
    settings = load_settings(
        {
            "BOUNCE_STOP": "7.5%",
            "COMPLAINT_WARN": "0.001",
            "RAMP": "News.Example.com:2027-01-31",
            "RAMP_CURVE": "60, 120",
        }
    )
    assert (settings.bounce_stop, settings.complaint_warn) == (0.075, 0.001)
    assert settings.ramps.limit("news.example.com", date(2027, 2, 1)) == 120
