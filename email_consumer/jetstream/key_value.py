"""The JetStream key-value buckets by which workers and sidecar know of each other. Each keeps the newest value of a key."""

from datetime import datetime

import structlog
from nats.aio.client import Client
from nats.js.errors import BucketNotFoundError

from email_consumer.jetstream.api import ask

_PATIENCE = 2.0
"""Seconds to wait for an answer that an existing bucket gives at once."""

_log = structlog.get_logger(__name__)


def workers_bucket(stream: str) -> str:
    """Holds a record for each live worker of the stream."""
    return f"{stream}-workers"


def shared_state_bucket(stream: str) -> str:
    """Holds what every worker of the stream must know."""
    return f"{stream}-facts"


async def ensure_bucket(client: Client, bucket: str, *, replicas: int, max_age: float = 0.0) -> bool:
    """Make the bucket unless it is there; an existing one stays as it is. True if it was made.

    `max_age` is in seconds, 0 keeps values for ever.

    Raises:
        nats.errors.Error: JetStream refused or did not answer.
    """
    try:
        await client.jetstream(timeout=_PATIENCE).key_value(bucket)
    except BucketNotFoundError:
        await client.jetstream().create_key_value(bucket=bucket, history=1, ttl=max_age or None, replicas=replicas)
        _log.info("bucket.created", bucket=bucket)
        return True
    return False


async def bucket_age(client: Client, bucket: str) -> float:
    """How long ago the bucket was made, in seconds by the server's clock alone.

    Raises:
        nats.errors.Error: JetStream refused or did not answer.
    """
    info = await ask(client, f"STREAM.INFO.KV_{bucket}", patience=_PATIENCE)
    age = datetime.fromisoformat(info["ts"]) - datetime.fromisoformat(info["created"])
    return max(0.0, age.total_seconds())  # two servers of a cluster may have said so


def subject(bucket: str, key: str) -> str:
    """Where a value is published to be stored."""
    return f"$KV.{bucket}.{key}"


DELETION = {"KV-Operation": "DEL"}
"""The headers of an empty message that deletes a key."""
