"""Every variable the program reads, with its aliases, default and check.

Names and defaults are documented in docs/settings.md. Times are seconds.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from email_consumer.message.address import parse_address
from email_consumer.message.problems import in_words
from email_consumer.message.send_window import Window, time_zone
from email_consumer.runtime.errors import OperatorError
from email_consumer.settings import checks
from email_consumer.settings.fields import SPLIT, CommaSeparated, variable
from email_consumer.settings.nats import NatsSettings
from email_consumer.settings.reputation import ReputationSettings

_LEAST_GRACE_APART = 10
_LONGEST = 10 * 365 * 86_400.0
"""Seconds. Nothing here is meant to last longer, and what is added to a time must not overflow."""
_LONGEST_VISIBILITY = 43_200.0
"""Seconds that SQS can keep a message invisible, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html."""
_SHOWN = 80


class SettingsError(OperatorError):
    """The environment holds bad values; the text has one line for each, naming the variable."""


AllowedRecipients = Annotated[tuple[str, ...], BeforeValidator(checks.allowed_recipients)]
HttpUrl = Annotated[str, AfterValidator(checks.http_url)]
QueueUrl = Annotated[HttpUrl, AfterValidator(checks.standard_queue)]


class Settings(NatsSettings, ReputationSettings):
    """The whole configuration, frozen. Parts are handed plain values out of it, never the object itself."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, validate_default=True)

    source: Annotated[tuple[Literal["nats", "sqs"], ...], SPLIT] = variable(("nats",), "SOURCE", min_length=1)
    ack_wait: float = variable(30.0, "ACK_WAIT", ge=1, le=_LONGEST_VISIBILITY)
    sqs_queue_url: QueueUrl | None = variable(None, "SQS_QUEUE_URL", validate_default=True)
    sqs_transactional_queue_url: QueueUrl | None = variable(None, "SQS_TRANSACTIONAL_QUEUE_URL")
    sqs_endpoint: HttpUrl | None = variable(None, "AWS_ENDPOINT_URL_SQS")

    bulk_floor: float = variable(0.05, "BULK_FLOOR", ge=0, lt=1)
    quota_reserve: float = variable(0.1, "QUOTA_RESERVE", ge=0, lt=1)
    ses_rate_per_sec: float = variable(
        50.0, "SES_RATE_PER_SEC", "MAX_SEND_PER_SECOND", "EMAIL_RATE", ge=0.001, le=100_000
    )
    concurrency_limit: int = variable(500, "CONCURRENCY_LIMIT", "MAX_CONCURRENT", ge=1, le=10_000)
    ses_timeout: float = variable(30.0, "SES_TIMEOUT", gt=0, le=3_600)
    max_attempts: int = variable(5, "MAX_ATTEMPTS", ge=1, le=1_000)
    retry_delay: float = variable(5.0, "RETRY_DELAY", gt=0, le=86_400)
    from_email: Annotated[str, AfterValidator(checks.address)] = variable(
        "no-reply@localhost", "FROM_EMAIL", "AWS_SES_FROM_EMAIL", "EMAIL_SENDER"
    )
    sender_name: Annotated[str | None, AfterValidator(checks.one_line)] = variable(None, "SENDER_NAME", max_length=100)
    sender_color: Annotated[str, AfterValidator(checks.color)] = variable("0b57d0", "SENDER_COLOR")
    recipient_allowlist: AllowedRecipients = variable(None, "RECIPIENT_ALLOWLIST")
    redirect_all_to: Annotated[str, AfterValidator(checks.address)] | None = variable(None, "REDIRECT_ALL_TO")
    configuration_set: str | None = variable(None, "CONFIGURATION_SET", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    bulk_send_window: Window | None = variable(None, "BULK_SEND_WINDOW")
    delivery_limits: Annotated[tuple[tuple[int, str], ...], BeforeValidator(checks.delivery_limits)] = variable(
        (), "DELIVERY_LIMITS"
    )
    aws_region: Annotated[str, AfterValidator(checks.region)] = variable(
        "ap-northeast-2", "AWS_REGION", "AWS_DEFAULT_REGION"
    )
    ses_endpoint: HttpUrl | None = variable(None, "AWS_ENDPOINT_URL_SESV2")

    ledger: Literal["sqlite", "jetstream"] = variable("sqlite", "LEDGER")
    copy_rows: bool = variable(True, "COPY_ROWS")
    idempotency_ttl: float = variable(86_400.0, "IDEMPOTENCY_TTL", gt=0, le=_LONGEST)
    in_doubt: Literal["resend", "park"] = variable("resend", "IN_DOUBT")
    in_doubt_grace: float = variable(120.0, "IN_DOUBT_GRACE", ge=0, le=_LONGEST)
    claim_lease: float = variable(60.0, "CLAIM_LEASE", ge=4, le=86_400)
    instance: str = variable("default", "INSTANCE", pattern=r"^[A-Za-z0-9_-]{1,256}$")

    sns_topic_arns: Annotated[CommaSeparated, AfterValidator(checks.topic_arns)] = variable((), "SNS_TOPIC_ARNS")
    sns_events_queue_url: HttpUrl | None = variable(None, "SNS_EVENTS_QUEUE_URL")
    sns_endpoint: HttpUrl | None = variable(None, "AWS_ENDPOINT_URL_SNS")
    sandbox_certificate: Path | None = variable(None, "SANDBOX_CERTIFICATE")
    soft_bounce_limit: int = variable(5, "SOFT_BOUNCE_LIMIT", ge=0, le=1_000_000)
    suppression_mirror: bool = variable(False, "SUPPRESSION_MIRROR")

    server_port: int = variable(3000, "SERVER_PORT", ge=0, le=65_535)
    server_bind: Annotated[str | None, AfterValidator(checks.ip_address)] = variable(None, "SERVER_BIND")
    server_url: HttpUrl = variable("http://localhost:3000", "SERVER_URL", "SERVER_HOST")
    api_key: Annotated[tuple[SecretStr, ...], SPLIT] = variable((), "API_KEY")
    db_path: Annotated[Path, AfterValidator(checks.not_a_directory)] = variable(Path("data/email.db"), "DB_PATH")
    db_group_read: bool = variable(False, "DB_GROUP_READ")
    retention_days: float = variable(90.0, "RETENTION_DAYS", gt=0, le=36_500)
    audit_retention_days: float = variable(365.0, "AUDIT_RETENTION_DAYS", gt=0, le=36_500)
    keep_subjects: bool = variable(True, "KEEP_SUBJECTS")
    timezone: Annotated[str, AfterValidator(time_zone)] = variable("UTC", "TIMEZONE")
    dashboard_public: bool = variable(False, "DASHBOARD_PUBLIC")
    track_opens: Literal["api", "all", "off"] = variable("api", "TRACK_OPENS")
    misfire: Literal["send", "skip"] = variable("send", "MISFIRE")
    misfire_limit: float = variable(3_600.0, "MISFIRE_LIMIT", ge=0, le=_LONGEST)

    events_out: Annotated[tuple[Literal["nats", "webhooks"], ...], SPLIT] = variable((), "EVENTS_OUT")
    events_max_bytes: int = variable(1_073_741_824, "EVENTS_MAX_BYTES", ge=1_048_576, le=2**60)
    webhook_allow_private: bool = variable(False, "WEBHOOK_ALLOW_PRIVATE")

    shutdown_grace: float = variable(25.0, "SHUTDOWN_GRACE", ge=0, le=3_600)
    sentry_dsn: SecretStr | None = variable(None, "SENTRY_DSN")
    otel_endpoint: HttpUrl | None = variable(None, "OTEL_EXPORTER_OTLP_ENDPOINT")
    log_level: Annotated[str, AfterValidator(checks.log_filter)] = variable("info", "LOG_LEVEL", "RUST_LOG")
    log_format: Literal["auto", "human", "json"] = variable("auto", "LOG_FORMAT")

    @field_validator("sentry_dsn")
    @classmethod
    def _well_formed_dsn(cls, dsn: SecretStr | None) -> SecretStr | None:
        if dsn:
            checks.sentry_dsn(dsn.get_secret_value())
        return dsn

    @field_validator("api_key")
    @classmethod
    def _keys_that_a_header_can_carry(cls, keys: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        checks.api_keys(tuple(key.get_secret_value() for key in keys))
        if info.context and info.context.get("API_KEY") and not keys:
            raise ValueError("holds no key")
        return keys

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
        return url

    @field_validator("sqs_transactional_queue_url")
    @classmethod
    def _another_queue(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url and url == info.data.get("sqs_queue_url"):
            raise ValueError("must be another queue than SQS_QUEUE_URL")
        return url

    def public(self) -> dict[str, Any]:
        """What a start-up line may show: every value that was set and is no secret."""
        shown = self.model_dump(mode="json", exclude_unset=True)
        return {name: value for name, value in shown.items() if not _is_secret(name) and name != "nats_url"}

    @property
    def sender(self) -> str:
        """What recipients know the sender as: SENDER_NAME, else the display name or domain of FROM_EMAIL."""
        address = parse_address(self.from_email)
        return self.sender_name or address.display_name or address.domain

    @property
    def on_loopback(self) -> bool:
        """Nobody but this machine can reach the HTTP side."""
        return self.server_bind is not None and ip_address(self.server_bind).is_loopback

    @property
    def sidecar_url(self) -> str:
        """Where programs on this machine reach the HTTP side."""
        anywhere = self.server_bind is None or ip_address(self.server_bind).is_unspecified
        host = "127.0.0.1" if anywhere else str(self.server_bind)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}"


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment once; an empty value counts as not set.

    Raises:
        SettingsError: one line per bad value; the values of secrets are not repeated.
    """
    given = {name: value for name, value in environ.items() if value}
    try:
        return Settings.model_validate(given, context=given)
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
    text = in_words(problem)
    place = str(problem["loc"][0])  # the first variable's name, or the field's where its default is at fault
    field, names = next((field, names) for field, names in variables().items() if place in {field, *names})
    variable = next((name for name in names if name in given), names[0])
    if _is_secret(field):
        return f"{variable}: {text}"
    default = Settings.model_fields[field].default
    value = given.get(variable, default)
    return f"{variable}: {text} (it is {'not set' if value is None else _shown(field, str(value))})"


def _shown(field: str, value: str) -> str:
    """A bad value as an error line repeats it: on one line, short, and without a password that a URL may carry."""
    if field.endswith(("_url", "_endpoint")):
        value = ",".join(f"…@{part.rpartition('@')[2]}" if "@" in part else part for part in value.split(","))
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")


def _is_secret(field: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[field].annotation)
