"""The stream of rows: a subject for each row, so that JetStream keeps only its newest state."""

import hashlib

from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

TOMBSTONE_TTL = 7 * 86_400
"""Seconds that the note of a deleted row is kept: longer than a copy lags behind."""


def stream_name(stream: str) -> str:
    return f"{stream}-rows"


def subject(stream: str, table: str, key: str) -> str:
    """`key` is the primary key as JSON."""
    return f"{stream_name(stream)}.{table}.{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}"


async def ensure_stream(jetstream: JetStreamContext, stream: str, replicas: int) -> int:
    """Make it if it is absent; how many rows it holds."""
    try:
        return (await jetstream.stream_info(stream_name(stream))).state.messages
    except NotFoundError:
        await jetstream.add_stream(
            StreamConfig(
                name=stream_name(stream),
                subjects=[f"{stream_name(stream)}.>"],
                retention=RetentionPolicy.LIMITS,
                storage=StorageType.FILE,
                max_msgs_per_subject=1,
                allow_msg_ttl=True,
                num_replicas=replicas,
            )
        )
    return 0
