"""A command's connection to NATS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
from nats.aio.client import Client
from pydantic import SecretStr

from email_consumer.intake.connection import NatsEndpoint, TlsFiles, connect
from email_consumer.intake.connection_faults import NatsConnectError
from email_consumer.intake.nats_credentials import NatsCredentials
from email_consumer.settings import Settings

_PATIENCE = 5.0
"""Seconds; someone sits in front of a command and waits."""


@asynccontextmanager
async def nats_connection(settings: Settings) -> AsyncIterator[Client]:
    """Connected as the settings say, closed at the end.

    Raises:
        click.ClickException: no connection, in plain words.
    """
    try:
        client = await connect(nats_endpoint(settings), patience=_PATIENCE)
    except NatsConnectError as error:
        raise click.ClickException(str(error)) from None
    try:
        yield client
    finally:
        await client.close()


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
