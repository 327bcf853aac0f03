"""What the ledger keeps in JetStream: the bucket of claims, the stream of outcomes, the stream of scheduled mail."""

import time
from dataclasses import dataclass

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from email_consumer.runtime.errors import OperatorError

CONSUMER = "sidecar"
"""The durable consumer of outcomes, and that of scheduled mail."""
_ACK_WAIT = 30.0
_IN_HAND = 1000
_NAME_IN_USE = 10058

_log = structlog.get_logger(__name__)


class LedgerStreamError(OperatorError):
    """A stream of that name is there and can't carry the ledger; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Names:
    """All derive from the name of the mail's stream."""

    stream: str

    @property
    def bucket(self) -> str:
        return f"{self.stream}-claims"

    @property
    def bucket_stream(self) -> str:
        return f"KV_{self.bucket}"

    def key(self, key: str) -> str:
        """The subject that carries a key's values."""
        return f"$KV.{self.bucket}.{key}"

    @property
    def readings_stream(self) -> str:
        """Of the bucket of deliveries that are being read."""
        return f"KV_{self.stream}-readings"

    def reading(self, key: str) -> str:
        """The subject that carries a delivery's note."""
        return f"$KV.{self.stream}-readings.{key}"

    @property
    def outcomes(self) -> str:
        """Stream and subject."""
        return f"{self.stream}-outcomes"

    @property
    def scheduled(self) -> str:
        """Stream and subject."""
        return f"{self.stream}-scheduled"


async def ensure_ledger_streams(client: Client, stream: str, *, replicas: int) -> None:
    """Make what is absent, for the mail's `stream`; what exists is used as it is.

    Raises:
        LedgerStreamError: what exists can't do it.
        nats.errors.Error: JetStream did not answer; try again.
    """
    jetstream, names = client.jetstream(), Names(stream)
    await _ensure_bucket(jetstream, names, replicas)
    await _ensure_stream(jetstream, _key_values(names.readings_stream, names.reading(">"), replicas))
    for name in (names.outcomes, names.scheduled):
        await _ensure_stream(
            jetstream,
            StreamConfig(
                name=name,
                subjects=[name],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,
                num_replicas=replicas,
            ),
        )
        await _ensure_consumer(jetstream, name)


async def projected(client: Client, stream: str) -> tuple[int, int]:
    """Up to which sequence the outcomes are in the tables, and the last one there is."""
    state = (await client.jetstream().stream_info(Names(stream).outcomes)).state
    return (state.first_seq - 1 if state.messages else state.last_seq), state.last_seq  # what is acknowledged is gone


async def deliver_again(client: Client, stream: str) -> None:
    """What a dead sidecar had in hand comes to the next one at once; to be called by the only one there is.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    jetstream, names = client.jetstream(), Names(stream)
    for name in (names.outcomes, names.scheduled):
        await jetstream.delete_consumer(name, CONSUMER)
        await _ensure_consumer(jetstream, name)


async def _ensure_bucket(jetstream: JetStreamContext, names: Names, replicas: int) -> None:
    config = _key_values(names.bucket_stream, names.key(">"), replicas)
    # Rows know the revision they show; a bucket that is made anew must not fall behind them.
    config.first_seq = int(time.time() * 1e6)
    info = await _ensure_stream(jetstream, config)
    if not info.allow_msg_ttl:
        raise LedgerStreamError(
            f"bucket {names.bucket!r} takes no TTL per message: LEDGER=jetstream needs nats-server 2.11 or newer, "
            f"and a bucket made by it"
        )


def _key_values(name: str, subject: str, replicas: int) -> StreamConfig:
    """Of a stream that keeps the newest value of each key, as a bucket's is."""
    return StreamConfig(
        name=name,
        subjects=[subject],
        max_msgs_per_subject=1,
        allow_rollup_hdrs=True,
        allow_msg_ttl=True,
        deny_delete=True,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        num_replicas=replicas,
    )


async def _ensure_stream(jetstream: JetStreamContext, config: StreamConfig) -> StreamConfig:
    assert config.name is not None  # noqa: S101
    try:
        return (await jetstream.stream_info(config.name)).config
    except NotFoundError:
        try:
            info = await jetstream.add_stream(config)
        except APIError as error:
            if error.err_code != _NAME_IN_USE:
                raise
            return (await jetstream.stream_info(config.name)).config  # another worker was faster
        _log.info("stream.created", stream=config.name, replicas=config.num_replicas)
        return info.config


async def _ensure_consumer(jetstream: JetStreamContext, stream: str) -> None:
    try:
        await jetstream.consumer_info(stream, CONSUMER)
    except NotFoundError:
        await jetstream.add_consumer(
            stream,
            ConsumerConfig(
                durable_name=CONSUMER,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT,
                max_deliver=-1,
                max_ack_pending=_IN_HAND,
            ),
        )
