"""The connection to NATS: explains itself when it can't be made, and reconnects automatically afterwards."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nats.aio.client import Client

from email_consumer.jetstream.client import SteadyClient
from email_consumer.jetstream.connection_errors import NatsConnectError, explain, without_password
from email_consumer.jetstream.connection_log import ConnectionLog
from email_consumer.jetstream.credentials import NatsCredentials, UrlLogin

_PING_INTERVAL = 5
"""Seconds; with two unanswered pings allowed, a peer that vanished without a word is noticed within 15 s."""
_RECONNECT_WAIT = 1
_CONNECT_TIMEOUT = 5
_PENDING_BYTES = 16 * 1024 * 1024
"""What may wait to be written, also while the server is away; a burst of acks must not block on it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the CA that signed the server's certificate, and our own certificate and key if it wants one."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext | None:
        """None where nothing is set: then the system's CAs count, if the server asks for TLS at all."""
        if not (self.ca or self.cert):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ValueError) as error:
            raise NatsConnectError(f"NATS_CA, NATS_CERT or NATS_KEY can't be read: {error}") from error
        return context


@dataclass(frozen=True, slots=True)
class NatsEndpoint:
    """Where NATS is and how to log in."""

    servers: Sequence[str]
    credentials: NatsCredentials = field(default_factory=NatsCredentials)
    tls: TlsFiles = field(default_factory=TlsFiles)


async def connect(
    endpoint: NatsEndpoint, *, patience: float = 30.0, on_lost: Callable[[Exception], None] | None = None
) -> Client:
    """Connect, waiting up to `patience` seconds for a server that is not up yet.

    A refusal (credentials, TLS) is reported at once. Once connected, an outage of any length is bridged; only an error
    after which the server will have no more to do with us ends the connection for good, and then `on_lost` is called.

    Raises:
        NatsConnectError: in plain words, with what to check.
    """
    client = SteadyClient()
    where = ", ".join(without_password(url) for url in endpoint.servers)
    log = ConnectionLog(client, where, on_lost)
    tls, login = endpoint.tls.context(), endpoint.credentials.options()
    if endpoint.credentials == NatsCredentials():
        login = UrlLogin(client, endpoint.servers).options()
    try:
        async with asyncio.timeout(patience):
            await client.connect(
                list(endpoint.servers),
                name="email-consumer",
                error_cb=log.error,
                disconnected_cb=log.disconnected,
                reconnected_cb=log.reconnected,
                closed_cb=log.closed,
                max_reconnect_attempts=-1,  # the default gives up after two minutes, for good
                reconnect_time_wait=_RECONNECT_WAIT,
                connect_timeout=_CONNECT_TIMEOUT,
                ping_interval=_PING_INTERVAL,
                pending_size=_PENDING_BYTES,
                tls=tls,
                **login,
            )
        if tls:
            _require_tls(client, where)
    except TimeoutError:
        await close(client)
        reason = explain(log.last_error)[0] if log.last_error else "no answer"
        raise NatsConnectError(f"no connection to NATS at {where} within {patience:g} s: {reason}") from None
    except BaseException:
        await close(client)
        raise
    log.connected()
    return client


async def close(client: Client) -> None:
    """Close, whatever state the connection is in: nats-py waits for ever after a failed TLS handshake."""
    # RuntimeError is uvloop's: while disconnected, nats-py writes what is left to a transport that is closed already.
    with contextlib.suppress(TimeoutError, OSError, RuntimeError):
        async with asyncio.timeout(1):
            await client.close()


def _require_tls(client: Client, where: str) -> None:
    """nats-py goes on in plain text, whatever we set, when the server does not ask for TLS."""
    if not client._server_info.get("tls_required"):  # noqa: SLF001 - nats-py has no other way to tell
        raise NatsConnectError(f"NATS_CA or NATS_CERT is set, but the NATS server at {where} does not ask for TLS")
