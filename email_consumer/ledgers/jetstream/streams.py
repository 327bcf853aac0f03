"""What the ledger keeps in JetStream beside the claims: the stream of outcomes, that of scheduled mail, the readings."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from email_consumer.runtime.errors import OperatorError

CONSUMER = "sidecar"
"""The durable consumer of outcomes, and that of scheduled mail."""
_ACK_WAIT = 30.0
_IN_HAND = 1000
_NAME_IN_USE = 10058
_LOOK = 5.0
"""Seconds between two looks at whether they are still there."""

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

    def refill(self, key: str) -> str:
        """The subject by which a key's value comes into a bucket that takes no claims yet."""
        return f"$KV.{self.bucket}-refill.{key}"

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


async def ensure_ledger_streams(client: Client, stream: str, *, replicas: int) -> list[str]:
    """Make what is absent, for the mail's `stream`; what exists is used as it is. The names of what was made.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    jetstream, names = client.jetstream(), Names(stream)
    made = await _ensure_stream(jetstream, _key_values(names.readings_stream, names.reading(">"), replicas))
    for name in (names.outcomes, names.scheduled):
        made += await _ensure_stream(
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
    return made


async def restore_ledger_streams(client: Client, stream: str, *, replicas: int) -> None:
    """`ensure_ledger_streams` while the program runs: what is absent was lost, and somebody should know.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    names = Names(stream)
    lost = {
        names.outcomes: "what it held of mail is missing from the tables; nothing is sent twice for it",
        names.scheduled: "mail that is due later and was in it is gone; publish what the tables don't show again, as new",
        names.readings_stream: "notes about mail that kills its reader; nothing else is missing",
    }
    for name in await ensure_ledger_streams(client, stream, replicas=replicas):
        _log.error("ledger.stream_lost", stream=name, hint=lost[name])


async def keep_ledger_streams(client: Client, stream: str, *, replicas: int) -> None:
    """Look after them until cancelled: while one is gone, nothing can be finished."""
    while True:
        await asyncio.sleep(_LOOK)
        with suppress(NatsError, TimeoutError):
            await restore_ledger_streams(client, stream, replicas=replicas)


async def projected(client: Client, stream: str) -> tuple[int, int]:
    """Up to which sequence the outcomes are in the tables, and the last one there is."""
    return await taken(client, Names(stream).outcomes)


async def taken(client: Client, name: str) -> tuple[int, int]:
    """Up to which sequence the sidecar has taken what is in one of its streams, and the last one there is."""
    state = (await client.jetstream().stream_info(name)).state
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


async def _ensure_stream(jetstream: JetStreamContext, config: StreamConfig) -> list[str]:
    """Its name, if we made it."""
    assert config.name is not None  # noqa: S101
    try:
        await jetstream.stream_info(config.name)
    except NotFoundError:
        try:
            await jetstream.add_stream(config)
        except APIError as error:
            if error.err_code != _NAME_IN_USE:
                raise
            return []  # another worker was faster
        _log.info("stream.created", stream=config.name, replicas=config.num_replicas)
        return [config.name]
    return []


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
