"""The NATS variables as the connection takes them, for the daemon and for commands."""

from pydantic import SecretStr

from email_consumer.jetstream.connection import NatsEndpoint, TlsFiles
from email_consumer.jetstream.credentials import NatsCredentials
from email_consumer.settings import Settings


def nats_endpoint(settings: Settings) -> NatsEndpoint:
    """The NATS variables as the connection takes them."""
    return NatsEndpoint(
        settings.nats_url,
        NatsCredentials(
            settings.nats_user,
            _revealed(settings.nats_password),
            _revealed(settings.nats_token),
            _revealed(settings.nats_nkey_seed),
            settings.nats_creds,
        ),
        TlsFiles(settings.nats_ca, settings.nats_cert, settings.nats_key),
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
