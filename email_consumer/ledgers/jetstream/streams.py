"""The ledger's other streams in JetStream: outcomes, scheduled mail, and the reading journal."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from email_consumer.runtime.errors import OperatorError

CONSUMER = "sidecar"
"""Name of the durable consumers of outcomes and of scheduled mail."""
_ACK_WAIT = 30.0
_MAX_ACK_PENDING = 1000
_NAME_IN_USE = 10058
_CHECK_EVERY = 5.0
"""Seconds between two checks that they still exist."""

_log = structlog.get_logger(__name__)


class LedgerStreamError(OperatorError):
    """An existing stream or this server does not meet the ledger's needs; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of streams, buckets and subjects, all derived from the name of the mail stream."""

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
        """The subject for writing a key of a bucket that accepts no claims yet."""
        return f"$KV.{self.bucket}-refill.{key}"

    @property
    def readings_stream(self) -> str:
        """The stream of the reading journal's bucket."""
        return f"KV_{self.stream}-readings"

    def reading(self, key: str) -> str:
        """The subject that carries a delivery's counter."""
        return f"$KV.{self.stream}-readings.{key}"

    @property
    def outcomes(self) -> str:
        """The name of both stream and subject."""
        return f"{self.stream}-outcomes"

    @property
    def scheduled(self) -> str:
        """The name of both stream and subject."""
        return f"{self.stream}-scheduled"


async def ensure_ledger_streams(client: Client, stream: str, *, replicas: int) -> list[str]:
    """Create missing streams for the mail stream `stream`; existing ones are used as they are. Returns the names created.

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
    """Like `ensure_ledger_streams` while the process runs: missing streams have been lost, which is logged as an error.

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
    """Restore lost streams until cancelled: while one is missing, nothing can be finished."""
    while True:
        await asyncio.sleep(_CHECK_EVERY)
        with suppress(NatsError, TimeoutError):
            await restore_ledger_streams(client, stream, replicas=replicas)


async def projected(client: Client, stream: str) -> tuple[int, int]:
    """The sequence number up to which outcomes are in the tables, and the last one in the stream."""
    return await taken(client, Names(stream).outcomes)


async def taken(client: Client, name: str) -> tuple[int, int]:
    """The sequence number up to which the sidecar has consumed a stream, and the last one in the stream."""
    jetstream = client.jetstream()
    state = (await jetstream.stream_info(name)).state
    if not state.messages:  # acknowledged messages are deleted
        return state.last_seq, state.last_seq
    # Unless the server was killed and forgot the deletion: the consumer is past them, and they stay.
    floor = (await jetstream.consumer_info(name, CONSUMER)).ack_floor
    return max(state.first_seq - 1, floor.stream_seq if floor else 0), state.last_seq


async def deliver_again(client: Client, stream: str) -> None:
    """Redeliver at once what a dead sidecar left unsettled. Call this as the only sidecar.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    jetstream, names = client.jetstream(), Names(stream)
    for name in (names.outcomes, names.scheduled):
        await jetstream.delete_consumer(name, CONSUMER)
        await _ensure_consumer(jetstream, name)


def _key_values(name: str, subject: str, replicas: int) -> StreamConfig:
    """Configuration of a stream that keeps the newest value of each key, as for a bucket."""
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
    """Create the stream if it is missing; returns its name if it was created."""
    assert config.name is not None  # noqa: S101
    try:
        await jetstream.stream_info(config.name)
    except NotFoundError:
        try:
            # The server would also tell a process that comes second that it had created it; not with another configuration.
            await jetstream.add_stream(config.evolve(metadata={"created_by": uuid4().hex}))
        except APIError as error:
            if error.err_code != _NAME_IN_USE:
                raise
            return []  # another process was faster
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
                max_ack_pending=_MAX_ACK_PENDING,
            ),
        )
