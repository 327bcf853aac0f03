"""Consumes the ledger's streams, into which the workers publish, for the sidecar's tables."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

from email_consumer.core.delivery import Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.core.metrics import Metrics
from email_consumer.ledgers.jetstream.streams import CONSUMER, restore_ledger_streams
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.roles.nats import NatsLink
from email_consumer.runtime.supervisor import OnCrash, Service
from email_consumer.sources.jetstream.receiver import JetStreamReceiver
from email_consumer.sources.jetstream.source import JetStreamSource

_HEARTBEAT = 10.0
"""Seconds; a third of the consumers' redelivery timeout."""


class LedgerConsumers:
    """`add` each consumer, then start the `services`."""

    def __init__(self, link: NatsLink, nats: JetStreamSource, grace: float) -> None:
        """Create it without consumers.

        Args:
            link: the connection to JetStream.
            nats: its readiness check also covers these consumers.
            grace: seconds a drain waits; unfinished deliveries are redelivered after the next start.
        """
        self._link = link
        self._nats = nats
        self._grace = grace
        self._receivers: list[JetStreamReceiver] = []
        self._dispatchers: list[Dispatcher] = []

    def add(self, stream: str, handle: Callable[[Delivery], Coroutine[None, None, None]], at_once: int) -> None:
        """Pass deliveries of the stream to `handle`, up to `at_once` concurrently."""
        slots = DeliverySlots(at_once)
        dispatcher = Dispatcher(handle, Metrics(), _HEARTBEAT)  # separate metrics: those of the process count mail
        receiver = JetStreamReceiver(
            self._link.client,
            stream=stream,
            consumer=CONSUMER,
            slots=slots,
            start=partial(dispatcher.start, slots=slots),
            repair=self._repair,
        )
        self._receivers.append(receiver)
        self._nats.include(receiver)
        self._dispatchers.append(dispatcher)

    def services(self) -> list[Service]:
        """Start them last: deliveries arrive from then on."""
        return [
            Service("ledger consumers", self._keep_alive, drain=self._drain, on_crash=OnCrash.EXIT),
            *(Service("ledger consumer", receiver.run, on_crash=OnCrash.EXIT) for receiver in self._receivers),
        ]

    async def _keep_alive(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for dispatcher in self._dispatchers:
                tasks.create_task(dispatcher.keep_alive())

    async def _drain(self) -> None:
        await asyncio.gather(*(receiver.stop() for receiver in self._receivers))
        await asyncio.gather(*(dispatcher.drain(self._grace) for dispatcher in self._dispatchers))
        await self._nats.flush()

    async def _repair(self) -> None:
        mail = self._link.mail
        await restore_ledger_streams(self._link.client, mail.stream, replicas=mail.replicas)
