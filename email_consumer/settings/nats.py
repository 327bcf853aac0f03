"""The settings of the connection to NATS and of the mail stream; part of `Settings`."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, SecretStr, ValidationInfo, field_validator

from email_consumer.settings import checks
from email_consumer.settings.fields import CommaSeparated, variable

Name = Annotated[str, AfterValidator(checks.nats_name)]
ReadableFile = Annotated[Path, AfterValidator(checks.readable_file)]


class NatsSettings(BaseModel):
    nats_url: Annotated[CommaSeparated, AfterValidator(checks.nats_urls)] = variable(
        ("nats://127.0.0.1:4222",), "NATS_URL", min_length=1
    )
    nats_user: str | None = variable(None, "NATS_USER")
    nats_password: SecretStr | None = variable(None, "NATS_PASSWORD")
    nats_token: SecretStr | None = variable(None, "NATS_TOKEN")
    nats_nkey_seed: SecretStr | None = variable(None, "NATS_NKEY_SEED")
    nats_creds: ReadableFile | None = variable(None, "NATS_CREDS")
    nats_ca: ReadableFile | None = variable(None, "NATS_CA")
    nats_cert: ReadableFile | None = variable(None, "NATS_CERT")
    nats_key: ReadableFile | None = variable(None, "NATS_KEY")
    nats_replicas: int = variable(1, "NATS_REPLICAS", ge=1, le=5)
    stream: Name = variable("messages", "STREAM")
    subject: str = variable("messages.email", "SUBJECT")
    transactional_subject: str = variable("", "TRANSACTIONAL_SUBJECT", validate_default=True)
    consumer: Name = variable("email-processor", "CONSUMER")

    @field_validator("nats_password")
    @classmethod
    def _user_and_password_go_together(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "nats_user" in info.data and (password is None) != (info.data["nats_user"] is None):
            raise ValueError("NATS_USER and NATS_PASSWORD are set together or not at all")
        return password

    @field_validator("nats_nkey_seed")
    @classmethod
    def _well_formed_seed(cls, seed: SecretStr | None) -> SecretStr | None:
        if seed:
            checks.nkey_seed(seed.get_secret_value())
        return seed

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
