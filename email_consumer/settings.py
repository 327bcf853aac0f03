"""Every variable the program reads, with its aliases, default and check.

Source of names and defaults: the configuration table in README.md. Times are seconds.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from email_consumer.address import parse_address
from email_consumer.feedback.topic_arn import TopicArn
from email_consumer.observe.level import LogFilter

_LEAST_GRACE_APART = 10


class SettingsError(Exception):
    """The environment holds bad values; the text has one line for each, naming the variable."""


def _variable(default: object, *names: str, **constraints: Any) -> Any:  # noqa: ANN401 - the type of any field
    return Field(default, validation_alias=AliasChoices(*names), **constraints)


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone of the tz database, such as Europe/Berlin") from None
    return value


def _address(value: str) -> str:
    parse_address(value)
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL such as https://mail.example.com")
    return value.rstrip("/")


def _log_filter(value: str) -> str:
    LogFilter.parse(value)
    return value


def _topic_arns(value: tuple[str, ...]) -> tuple[str, ...]:
    for arn in value:
        try:
            TopicArn.parse(arn)
        except ValueError as error:
            raise ValueError(f"{arn!r} {error}") from None
    return value


def _token(value: str) -> str:
    if not value or any(character in value for character in " .*>\t\r\n/\\"):
        raise ValueError("must not be empty or contain spaces, dots, slashes, '*' or '>'")
    return value


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Name = Annotated[str, AfterValidator(_token)]


class Settings(BaseModel):
    """The whole configuration, frozen. Parts are handed plain values out of it, never the object itself."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, validate_default=True)

    source: Annotated[tuple[Literal["nats", "sqs"], ...], BeforeValidator(_split)] = _variable(
        ("nats",), "SOURCE", min_length=1
    )
    nats_url: CommaSeparated = _variable(("nats://127.0.0.1:4222",), "NATS_URL", min_length=1)
    nats_user: str | None = _variable(None, "NATS_USER")
    nats_password: SecretStr | None = _variable(None, "NATS_PASSWORD")
    nats_token: SecretStr | None = _variable(None, "NATS_TOKEN")
    nats_nkey_seed: SecretStr | None = _variable(None, "NATS_NKEY_SEED")
    nats_creds: Path | None = _variable(None, "NATS_CREDS")
    nats_ca: Path | None = _variable(None, "NATS_CA")
    nats_cert: Path | None = _variable(None, "NATS_CERT")
    nats_key: Path | None = _variable(None, "NATS_KEY")
    nats_replicas: int = _variable(1, "NATS_REPLICAS", ge=1, le=5)
    stream: Name = _variable("messages", "STREAM")
    subject: str = _variable("messages.email", "SUBJECT")
    consumer: Name = _variable("email-processor", "CONSUMER")
    ack_wait: float = _variable(30.0, "ACK_WAIT", ge=1)
    sqs_queue_url: HttpUrl | None = _variable(None, "SQS_QUEUE_URL", validate_default=True)
    sqs_endpoint: HttpUrl | None = _variable(None, "AWS_ENDPOINT_URL_SQS")

    ses_rate_per_sec: float = _variable(50.0, "SES_RATE_PER_SEC", "MAX_SEND_PER_SECOND", "EMAIL_RATE", gt=0)
    concurrency_limit: int = _variable(500, "CONCURRENCY_LIMIT", "MAX_CONCURRENT", ge=1, le=10_000)
    ses_timeout: float = _variable(30.0, "SES_TIMEOUT", gt=0)
    max_attempts: int = _variable(5, "MAX_ATTEMPTS", ge=1)
    retry_delay: float = _variable(5.0, "RETRY_DELAY", gt=0)
    from_email: Annotated[str, AfterValidator(_address)] = _variable(
        "no-reply@localhost", "FROM_EMAIL", "AWS_SES_FROM_EMAIL", "EMAIL_SENDER"
    )
    configuration_set: str | None = _variable(None, "CONFIGURATION_SET", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    aws_region: str = _variable("ap-northeast-2", "AWS_REGION", "AWS_DEFAULT_REGION")
    ses_endpoint: HttpUrl | None = _variable(None, "AWS_ENDPOINT_URL_SESV2")

    ledger: Literal["sqlite", "jetstream"] = _variable("sqlite", "LEDGER")
    idempotency_ttl: float = _variable(86_400.0, "IDEMPOTENCY_TTL", gt=0)
    in_doubt: Literal["resend", "park"] = _variable("resend", "IN_DOUBT")
    in_doubt_grace: float = _variable(120.0, "IN_DOUBT_GRACE", ge=0)
    claim_lease: float = _variable(60.0, "CLAIM_LEASE", ge=4)
    instance: str = _variable("default", "INSTANCE", pattern=r"^[A-Za-z0-9_-]{1,256}$")

    sns_topic_arns: Annotated[CommaSeparated, AfterValidator(_topic_arns)] = _variable((), "SNS_TOPIC_ARNS")
    sns_events_queue_url: HttpUrl | None = _variable(None, "SNS_EVENTS_QUEUE_URL")
    sns_endpoint: HttpUrl | None = _variable(None, "AWS_ENDPOINT_URL_SNS")
    sandbox_certificate: Path | None = _variable(None, "SANDBOX_CERTIFICATE")
    soft_bounce_limit: int = _variable(5, "SOFT_BOUNCE_LIMIT", ge=0)
    suppression_mirror: bool = _variable(False, "SUPPRESSION_MIRROR")

    server_port: int = _variable(3000, "SERVER_PORT", ge=0, le=65_535)
    server_url: HttpUrl = _variable("http://localhost:3000", "SERVER_URL", "SERVER_HOST")
    api_key: Annotated[tuple[SecretStr, ...], BeforeValidator(_split)] = _variable((), "API_KEY")
    db_path: Path = _variable(Path("data/email.db"), "DB_PATH")
    retention_days: float = _variable(90.0, "RETENTION_DAYS", gt=0)
    timezone: Annotated[str, AfterValidator(_time_zone)] = _variable("UTC", "TIMEZONE")
    dashboard_public: bool = _variable(False, "DASHBOARD_PUBLIC")
    track_opens: Literal["api", "all", "off"] = _variable("api", "TRACK_OPENS")
    misfire: Literal["send", "skip"] = _variable("send", "MISFIRE")
    misfire_limit: float = _variable(3_600.0, "MISFIRE_LIMIT", ge=0)

    shutdown_grace: float = _variable(25.0, "SHUTDOWN_GRACE", ge=0)
    sentry_dsn: SecretStr | None = _variable(None, "SENTRY_DSN")
    log_level: Annotated[str, AfterValidator(_log_filter)] = _variable("info", "LOG_LEVEL", "RUST_LOG")
    log_format: Literal["auto", "human", "json"] = _variable("auto", "LOG_FORMAT")

    @field_validator("subject")
    @classmethod
    def _subject_belongs_to_stream(cls, subject: str, info: ValidationInfo) -> str:
        stream = info.data.get("stream")
        if stream is None:  # it has a fault of its own
            return subject
        prefix, _, rest = subject.partition(".")
        if prefix != stream or not rest or any(character.isspace() for character in subject):
            raise ValueError(f"must be one of the stream's subjects, {stream}.<name>")
        return subject

    @field_validator("in_doubt_grace")
    @classmethod
    def _grace_outlasts_a_silent_sidecar(cls, grace: float, info: ValidationInfo) -> float:
        # A worker takes a sidecar for dead after some seconds of silence, and until then believes that events arrive.
        if info.data.get("ledger") == "jetstream" and grace < _LEAST_GRACE_APART:
            raise ValueError(f"must be at least {_LEAST_GRACE_APART} with LEDGER=jetstream")
        return grace

    @field_validator("sqs_queue_url")
    @classmethod
    def _queue_of_the_source(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None and "sqs" in info.data.get("source", ()):
            raise ValueError("must be set where SOURCE names sqs")
        if url and url.endswith(".fifo"):
            raise ValueError("a FIFO queue can't be a source: a mail that waits to be tried again holds up its group")
        return url

    def public(self) -> dict[str, str]:
        """What a start-up line may show: every value that was set and is no secret."""
        shown = self.model_dump(mode="json", exclude_unset=True)
        return {name: str(value) for name, value in shown.items() if not _is_secret(name) and name != "nats_url"}


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment once; an empty value counts as not set.

    Raises:
        SettingsError: one line per bad value; the values of secrets are not repeated.
    """
    given = {name: value for name, value in environ.items() if value}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError("\n".join(_line(problem, given) for problem in error.errors())) from None


def variables() -> dict[str, tuple[str, ...]]:
    """Each field's variables: the documented name first, then its aliases."""
    return {
        name: tuple(str(choice) for choice in field.validation_alias.choices)
        for name, field in Settings.model_fields.items()
        if isinstance(field.validation_alias, AliasChoices)
    }


def _line(problem: ErrorDetails, given: Mapping[str, str]) -> str:
    text = problem["msg"].removeprefix("Value error, ")
    place = str(problem["loc"][0])  # the first variable's name, or the field's where its default is at fault
    field, names = next((field, names) for field, names in variables().items() if place in {field, *names})
    variable = next((name for name in names if name in given), names[0])
    default = Settings.model_fields[field].default
    return (
        f"{variable}: {text}" if _is_secret(field) else f"{variable}: {text} (it is {given.get(variable, default)!r})"
    )


def _is_secret(field: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[field].annotation)
