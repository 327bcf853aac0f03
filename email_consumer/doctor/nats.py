"""The NATS server: reachable, new enough, with JetStream and room for our streams."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, ServiceUnavailableError

from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.jetstream.connection_errors import NatsConnectError, without_password

_PATIENCE = 5.0
"""Seconds; somebody is waiting at the terminal."""
_OLDEST = (2, 11)
"""Key-value entries with a time to live, which LEDGER=jetstream needs, came with it."""
_SMALL_PAYLOAD = 1024 * 1024
"""Bytes: the server's own default."""
_NEARLY_FULL = 0.8
_STREAMS = 3
"""Mail, dead letters, and the bucket that names the ledger in charge."""
_NOT_ENABLED = {10039, 10076}


@asynccontextmanager
async def connection(endpoint: NatsEndpoint, findings: list[Finding]) -> AsyncIterator[Client | None]:
    """Connected for the block, or None; either way `findings` gets one more."""
    try:
        client = await connect(endpoint, patience=_PATIENCE)
    except NatsConnectError as failure:
        findings.append(
            error(
                "nats.reachable",
                f"There is {failure}." if str(failure).startswith("no ") else f"{failure}.",
                "Fix what it names, then run doctor again.",
            )
        )
        yield None
        return
    try:
        url = client.connected_url
        where = f" to {without_password(url.netloc).removeprefix('nats://')}" if url else ""
        findings.append(ok("nats.reachable", f"Connected{where}."))
        yield client
    finally:
        await client.close()


def check_server(version: str, max_payload: int) -> list[Finding]:
    """What the server says of itself: its version such as `2.12.1`, and the bytes that a message may have."""
    findings = []
    if tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:2]) < _OLDEST:
        findings.append(
            warning(
                "nats.version",
                f"nats-server {version} is older than {_OLDEST[0]}.{_OLDEST[1]}: LEDGER=jetstream won't work with it, and"
                " the rest is not tested with it.",
                "Upgrade nats-server.",
            )
        )
    else:
        findings.append(ok("nats.version", f"nats-server {version}."))
    if max_payload < _SMALL_PAYLOAD:
        findings.append(
            warning(
                "nats.max_payload",
                f"The server takes messages of up to {max_payload:,} bytes; a larger mail can't be published.",
                "Raise max_payload in the server's configuration; 1MB is its default, 8MB is still reasonable.",
            )
        )
    else:
        findings.append(ok("nats.max_payload", f"Messages of up to {max_payload:,} bytes."))
    return findings


async def check_jetstream(client: Client) -> list[Finding]:
    """Whether JetStream is there for our account, and how much of its limits is used."""
    try:
        account = await client.jetstream().account_info()
    except (ServiceUnavailableError, APIError) as failure:
        if isinstance(failure, ServiceUnavailableError) or failure.err_code in _NOT_ENABLED:
            return [
                error(
                    "nats.jetstream",
                    "JetStream is not enabled on the NATS server, or not for this account.",
                    "Put a jetstream block into the server's configuration (or into the account's).",
                )
            ]
        return [error("nats.jetstream", f"JetStream refuses: {failure.description}.", "See the server's log.")]
    except (NatsError, TimeoutError) as failure:
        return [
            error(
                "nats.jetstream",
                f"JetStream does not respond ({failure!r}).",
                "Allow our user to publish to $JS.API.> and to subscribe to _INBOX.>; else see the server's log.",
            )
        ]
    limits = account.limits
    findings = []
    if limits.max_storage and 0 < limits.max_storage * _NEARLY_FULL <= account.storage:
        findings.append(
            warning(
                "nats.storage",
                f"{account.storage:,} of the {limits.max_storage:,} bytes that our account may store are used; when they"
                " are full, publishers are refused.",
                "Raise the account's max_file, or check what fills it: `nats stream report`.",
            )
        )
    if limits.max_streams and limits.max_streams > 0 and limits.max_streams < _STREAMS:
        findings.append(
            error(
                "nats.streams",
                f"Our account may have {limits.max_streams} streams; mail, dead letters and the ledger's lease take"
                f" {_STREAMS}.",
                "Raise the account's max_streams.",
            )
        )
    return [ok("nats.jetstream", f"JetStream is enabled, {account.storage:,} bytes stored."), *findings]
