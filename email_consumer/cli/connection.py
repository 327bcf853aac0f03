"""A command's connection to NATS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client

from email_consumer.jetstream.connection import close, connect
from email_consumer.settings import Settings
from email_consumer.settings.nats_endpoint import nats_endpoint

_PATIENCE = 5.0
"""Seconds; someone sits in front of a command and waits."""


@asynccontextmanager
async def nats_connection(settings: Settings) -> AsyncIterator[Client]:
    """Connected as the settings say, closed at the end.

    Raises:
        NatsConnectError: no connection, in plain words.
    """
    client = await connect(nats_endpoint(settings), patience=_PATIENCE)
    try:
        yield client
    finally:
        await close(client)
