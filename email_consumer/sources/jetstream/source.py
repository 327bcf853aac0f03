"""A stream and one of its pull consumers as a `Source`: a lane of its mail."""

from collections.abc import Callable
from copy import copy

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.mail_queue import QueueUnavailableError, Unconsumed
from email_consumer.core.source import SourceStats
from email_consumer.core.stall_detector import SourceProgress
from email_consumer.jetstream.api import ask
from email_consumer.message.lane import Lane
from email_consumer.runtime.clock import elapsed
from email_consumer.sources.jetstream.consumer_lease import ConsumerLease
from email_consumer.sources.jetstream.dead_letters import JetStreamDeadLetters
from email_consumer.sources.jetstream.mail_queue import JetStreamQueue
from email_consumer.sources.jetstream.receiver import JetStreamReceiver
from email_consumer.sources.jetstream.stream_stats import StreamStats
from email_consumer.sources.jetstream.topology import Topology
from email_consumer.sources.jetstream.unconsumed import find_unconsumed

_FLUSH_TIMEOUT = 2
_PATIENCE = 2.0
"""Seconds for an answer of the server."""

_log = structlog.get_logger(__name__)


class JetStreamSource:
    """See `email_consumer.core.source.Source`. It is ours while the consumer lease lasts."""

    origin = "nats"
    ordered = True

    def __init__(self, client: Client, topology: Topology, lease: ConsumerLease) -> None:
        """The lane of bulk mail, which every stream has.

        Args:
            client: connected.
            topology: of the mail stream; restores stream and consumers.
            lease: on the consumer of bulk mail, and so on the whole queue.
        """
        mail, transactional = topology.mail, topology.transactional
        self.name = "nats"
        self.lane = Lane.BULK
        self.lease = lease
        self.mail_queue = JetStreamQueue(
            client, stream=mail.stream, subject=mail.subject, consumer=mail.consumer, transactional=transactional
        )
        self.dead_letters = JetStreamDeadLetters(
            client, stream=mail.stream, subject=mail.subject, replicas=mail.replicas, transactional=transactional
        )
        self.archive: JetStreamDeadLetters | None = self.dead_letters
        self._client = client
        self._topology = topology
        self._stream = mail.stream
        self._consumer = mail.consumer
        self._stats = StreamStats(client, stream=mail.stream, consumer=mail.consumer)
        self._receivers: list[JetStreamReceiver] = []

    def transactional(self) -> "JetStreamSource | None":
        """The lane of transactional mail in the same stream; None without one."""
        lane = self._topology.transactional
        if lane.missing:
            return None
        source = copy(self)
        source._become(lane.consumer.name)  # noqa: SLF001 - one of us
        return source

    def _become(self, transactional_consumer: str) -> None:
        self.name, self.lane = "nats-transactional", Lane.TRANSACTIONAL
        self.archive = None  # the other lane's: dead letters have one place
        self._consumer, self._receivers = transactional_consumer, []
        self._stats = StreamStats(self._client, stream=self._stream, consumer=transactional_consumer)

    @property
    def one_lane(self) -> str:
        return self._topology.transactional.missing

    @property
    def valid_until(self) -> float:
        return self.lease.valid_until

    def receiver(self, slots: DeliverySlots, start: Callable[[Delivery], None]) -> JetStreamReceiver:
        receiver = JetStreamReceiver(
            self._client,
            stream=self._stream,
            consumer=self._consumer,
            slots=slots,
            start=start,
            repair=self._topology.ensure,
            lane=self.lane,
        )
        self.include(receiver)
        return receiver

    def include(self, receiver: JetStreamReceiver) -> None:
        """`check` reports what holds this one, too, which pulls over the same connection."""
        self._receivers.append(receiver)

    async def flush(self) -> None:
        try:
            await self._client.flush(timeout=_FLUSH_TIMEOUT)
        except (NatsError, TimeoutError, OSError) as error:
            _log.warning("daemon.acks_not_flushed", error=repr(error), hint="the ledger knows what was sent")

    async def check(self) -> None:
        if not self._client.is_connected:
            raise ConnectionError("not connected")
        if elapsed() > self.lease.valid_until:
            raise ConnectionError("the right to the consumer can't be renewed")
        for receiver in self._receivers:
            if receiver.held:
                raise ConnectionError(receiver.held)

    async def progress(self) -> SourceProgress:
        found = await ask(self._client, f"CONSUMER.INFO.{self._stream}.{self._consumer}", patience=_PATIENCE)
        unsettled, most = found["num_ack_pending"], found["config"].get("max_ack_pending", 0)
        hint = ""
        if 0 < most <= unsettled:
            hint = f"{unsettled:,} deliveries wait for another attempt, all that max_ack_pending of {self._consumer!r} allows"
        return SourceProgress(found["num_pending"], found["delivered"]["stream_seq"] - unsettled, hint)

    async def unconsumed(self) -> Unconsumed:
        if self.lane is Lane.TRANSACTIONAL:  # the other lane tells of the whole stream
            return Unconsumed()
        try:
            return await find_unconsumed(self._client, self._stream)
        except (NatsError, TimeoutError) as error:
            raise QueueUnavailableError(f"stream {self._stream}: {error}") from error

    async def stats(self, unsettled: int) -> SourceStats:
        return await self._stats.read(unsettled)
