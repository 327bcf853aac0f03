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
    Field,
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
from email_consumer.settings.reputation import ReputationSettings

_LEAST_GRACE_APART = 10
_LONGEST = 10 * 365 * 86_400.0
"""Seconds. Nothing here is meant to last longer, and what is added to a time must not overflow."""
_LONGEST_VISIBILITY = 43_200.0
"""Seconds that SQS can keep a message invisible, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html."""
_SHOWN = 80


class SettingsError(OperatorError):
    """The environment holds bad values; the text has one line for each, naming the variable."""


def _variable(default: object, *names: str, **constraints: Any) -> Any:  # noqa: ANN401 - the type of any field
    return Field(default, validation_alias=AliasChoices(*names), **constraints)


_SPLIT = BeforeValidator(checks.split)
AllowedRecipients = Annotated[tuple[str, ...], BeforeValidator(checks.allowed_recipients)]
CommaSeparated = Annotated[tuple[str, ...], _SPLIT]
HttpUrl = Annotated[str, AfterValidator(checks.http_url)]
QueueUrl = Annotated[HttpUrl, AfterValidator(checks.standard_queue)]
Name = Annotated[str, AfterValidator(checks.nats_name)]
ReadableFile = Annotated[Path, AfterValidator(checks.readable_file)]


class Settings(ReputationSettings):
    """The whole configuration, frozen. Parts are handed plain values out of it, never the object itself."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, validate_default=True)

    source: Annotated[tuple[Literal["nats", "sqs"], ...], _SPLIT] = _variable(("nats",), "SOURCE", min_length=1)
    nats_url: Annotated[CommaSeparated, AfterValidator(checks.nats_urls)] = _variable(
        ("nats://127.0.0.1:4222",), "NATS_URL", min_length=1
    )
    nats_user: str | None = _variable(None, "NATS_USER")
    nats_password: SecretStr | None = _variable(None, "NATS_PASSWORD")
    nats_token: SecretStr | None = _variable(None, "NATS_TOKEN")
    nats_nkey_seed: SecretStr | None = _variable(None, "NATS_NKEY_SEED")
    nats_creds: ReadableFile | None = _variable(None, "NATS_CREDS")
    nats_ca: ReadableFile | None = _variable(None, "NATS_CA")
    nats_cert: ReadableFile | None = _variable(None, "NATS_CERT")
    nats_key: ReadableFile | None = _variable(None, "NATS_KEY")
    nats_replicas: int = _variable(1, "NATS_REPLICAS", ge=1, le=5)
    stream: Name = _variable("messages", "STREAM")
    subject: str = _variable("messages.email", "SUBJECT")
    transactional_subject: str = _variable("", "TRANSACTIONAL_SUBJECT", validate_default=True)
    consumer: Name = _variable("email-processor", "CONSUMER")
    ack_wait: float = _variable(30.0, "ACK_WAIT", ge=1, le=_LONGEST_VISIBILITY)
    sqs_queue_url: QueueUrl | None = _variable(None, "SQS_QUEUE_URL", validate_default=True)
    sqs_transactional_queue_url: QueueUrl | None = _variable(None, "SQS_TRANSACTIONAL_QUEUE_URL")
    sqs_endpoint: HttpUrl | None = _variable(None, "AWS_ENDPOINT_URL_SQS")

    bulk_floor: float = _variable(0.05, "BULK_FLOOR", ge=0, lt=1)
    quota_reserve: float = _variable(0.1, "QUOTA_RESERVE", ge=0, lt=1)
    ses_rate_per_sec: float = _variable(
        50.0, "SES_RATE_PER_SEC", "MAX_SEND_PER_SECOND", "EMAIL_RATE", ge=0.001, le=100_000
    )
    concurrency_limit: int = _variable(500, "CONCURRENCY_LIMIT", "MAX_CONCURRENT", ge=1, le=10_000)
    ses_timeout: float = _variable(30.0, "SES_TIMEOUT", gt=0, le=3_600)
    max_attempts: int = _variable(5, "MAX_ATTEMPTS", ge=1, le=1_000)
    retry_delay: float = _variable(5.0, "RETRY_DELAY", gt=0, le=86_400)
    from_email: Annotated[str, AfterValidator(checks.address)] = _variable(
        "no-reply@localhost", "FROM_EMAIL", "AWS_SES_FROM_EMAIL", "EMAIL_SENDER"
    )
    sender_name: Annotated[str | None, AfterValidator(checks.one_line)] = _variable(None, "SENDER_NAME", max_length=100)
    sender_color: Annotated[str, AfterValidator(checks.color)] = _variable("0b57d0", "SENDER_COLOR")
    recipient_allowlist: AllowedRecipients = _variable(None, "RECIPIENT_ALLOWLIST")
    redirect_all_to: Annotated[str, AfterValidator(checks.address)] | None = _variable(None, "REDIRECT_ALL_TO")
    configuration_set: str | None = _variable(None, "CONFIGURATION_SET", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    bulk_send_window: Window | None = _variable(None, "BULK_SEND_WINDOW")
    delivery_limits: Annotated[tuple[tuple[int, str], ...], BeforeValidator(checks.delivery_limits)] = _variable(
        (), "DELIVERY_LIMITS"
    )
    aws_region: Annotated[str, AfterValidator(checks.region)] = _variable(
        "ap-northeast-2", "AWS_REGION", "AWS_DEFAULT_REGION"
    )
    ses_endpoint: HttpUrl | None = _variable(None, "AWS_ENDPOINT_URL_SESV2")

    ledger: Literal["sqlite", "jetstream"] = _variable("sqlite", "LEDGER")
    copy_rows: bool = _variable(True, "COPY_ROWS")
    idempotency_ttl: float = _variable(86_400.0, "IDEMPOTENCY_TTL", gt=0, le=_LONGEST)
    in_doubt: Literal["resend", "park"] = _variable("resend", "IN_DOUBT")
    in_doubt_grace: float = _variable(120.0, "IN_DOUBT_GRACE", ge=0, le=_LONGEST)
    claim_lease: float = _variable(60.0, "CLAIM_LEASE", ge=4, le=86_400)
    instance: str = _variable("default", "INSTANCE", pattern=r"^[A-Za-z0-9_-]{1,256}$")

    sns_topic_arns: Annotated[CommaSeparated, AfterValidator(checks.topic_arns)] = _variable((), "SNS_TOPIC_ARNS")
    sns_events_queue_url: HttpUrl | None = _variable(None, "SNS_EVENTS_QUEUE_URL")
    sns_endpoint: HttpUrl | None = _variable(None, "AWS_ENDPOINT_URL_SNS")
    sandbox_certificate: Path | None = _variable(None, "SANDBOX_CERTIFICATE")
    soft_bounce_limit: int = _variable(5, "SOFT_BOUNCE_LIMIT", ge=0, le=1_000_000)
    suppression_mirror: bool = _variable(False, "SUPPRESSION_MIRROR")

    server_port: int = _variable(3000, "SERVER_PORT", ge=0, le=65_535)
    server_bind: Annotated[str | None, AfterValidator(checks.ip_address)] = _variable(None, "SERVER_BIND")
    server_url: HttpUrl = _variable("http://localhost:3000", "SERVER_URL", "SERVER_HOST")
    api_key: Annotated[tuple[SecretStr, ...], _SPLIT] = _variable((), "API_KEY")
    db_path: Annotated[Path, AfterValidator(checks.not_a_directory)] = _variable(Path("data/email.db"), "DB_PATH")
    db_group_read: bool = _variable(False, "DB_GROUP_READ")
    retention_days: float = _variable(90.0, "RETENTION_DAYS", gt=0, le=36_500)
    audit_retention_days: float = _variable(365.0, "AUDIT_RETENTION_DAYS", gt=0, le=36_500)
    keep_subjects: bool = _variable(True, "KEEP_SUBJECTS")
    timezone: Annotated[str, AfterValidator(time_zone)] = _variable("UTC", "TIMEZONE")
    dashboard_public: bool = _variable(False, "DASHBOARD_PUBLIC")
    track_opens: Literal["api", "all", "off"] = _variable("api", "TRACK_OPENS")
    misfire: Literal["send", "skip"] = _variable("send", "MISFIRE")
    misfire_limit: float = _variable(3_600.0, "MISFIRE_LIMIT", ge=0, le=_LONGEST)

    events_out: Annotated[tuple[Literal["nats", "webhooks"], ...], _SPLIT] = _variable((), "EVENTS_OUT")
    events_max_bytes: int = _variable(1_073_741_824, "EVENTS_MAX_BYTES", ge=1_048_576, le=2**60)
    webhook_allow_private: bool = _variable(False, "WEBHOOK_ALLOW_PRIVATE")

    shutdown_grace: float = _variable(25.0, "SHUTDOWN_GRACE", ge=0, le=3_600)
    sentry_dsn: SecretStr | None = _variable(None, "SENTRY_DSN")
    otel_endpoint: HttpUrl | None = _variable(None, "OTEL_EXPORTER_OTLP_ENDPOINT")
    log_level: Annotated[str, AfterValidator(checks.log_filter)] = _variable("info", "LOG_LEVEL", "RUST_LOG")
    log_format: Literal["auto", "human", "json"] = _variable("auto", "LOG_FORMAT")

    @field_validator("nats_password")
    @classmethod
    def _user_and_password_go_together(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "nats_user" in info.data and (password is None) != (info.data["nats_user"] is None):
            raise ValueError("NATS_USER and NATS_PASSWORD are set together or not at all")
        return password

    @field_validator("nats_nkey_seed", "sentry_dsn")
    @classmethod
    def _well_formed_secret(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if secret:
            check = checks.nkey_seed if info.field_name == "nats_nkey_seed" else checks.sentry_dsn
            check(secret.get_secret_value())
        return secret

    @field_validator("nats_creds")
    @classmethod
    def _one_way_to_log_in(cls, creds: Path | None, info: ValidationInfo) -> Path | None:
        ways = {
            "NATS_USER": info.data.get("nats_user"),
            "NATS_TOKEN": info.data.get("nats_token"),
            "NATS_NKEY_SEED": info.data.get("nats_nkey_seed"),
            "NATS_CREDS": creds,
        }
        given = [name for name, value in ways.items() if value]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are set: use one way to log in to NATS")
        return creds

    @field_validator("nats_key")
    @classmethod
    def _certificate_and_key_go_together(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "nats_cert" in info.data and (key is None) != (info.data["nats_cert"] is None):
            raise ValueError("NATS_CERT and NATS_KEY are set together or not at all")
        return key

    @field_validator("api_key")
    @classmethod
    def _keys_that_a_header_can_carry(cls, keys: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        checks.api_keys(tuple(key.get_secret_value() for key in keys))
        if info.context and info.context.get("API_KEY") and not keys:
            raise ValueError("holds no key")
        return keys

    @field_validator("subject")
    @classmethod
    def _subject_belongs_to_stream(cls, subject: str, info: ValidationInfo) -> str:
        stream = info.data.get("stream")
        if stream is not None and not checks.is_subject_of(stream, subject):  # None: STREAM has its own error
            raise ValueError(f"must be one of the stream's subjects, {stream}.<name>")
        return subject

    @field_validator("transactional_subject")
    @classmethod
    def _transactional_subject_belongs_to_stream(cls, subject: str, info: ValidationInfo) -> str:
        stream = info.data.get("stream")
        if stream is None:  # STREAM has its own error
            return subject
        if subject and (not checks.is_subject_of(stream, subject) or {"*", ">"} & set(subject.split("."))):
            raise ValueError(f"must be one subject of the stream, {stream}.<name>")
        return subject or f"{stream}.transactional"

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
