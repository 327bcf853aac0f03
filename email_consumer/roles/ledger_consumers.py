"""What the workers put into the ledger's streams, taken into the sidecar's tables."""

import asyncio
from collections.abc import Callable, Coroutine

from email_consumer.core.delivery import Delivery
from email_consumer.core.metrics import Metrics
from email_consumer.core.slots import Slots
from email_consumer.ledgers.jetstream.streams import CONSUMER, ensure_ledger_streams
from email_consumer.pipeline.dispatcher import Dispatcher
from email_consumer.roles.background import Background
from email_consumer.roles.nats import NatsLink, NatsSource
from email_consumer.sources.jetstream.receiver import JetStreamReceiver

_HEARTBEAT = 10.0
"""Seconds: a third of the consumers' time-out."""


class LedgerConsumers:
    """`add` those there are; they run in the background, until `drain`."""

    def __init__(self, link: NatsLink, nats: NatsSource, background: list[Background]) -> None:
        """`nats` tells, when it is checked, also what holds these."""
        self._link = link
        self._nats = nats
        self._background = background
        self._intakes: list[JetStreamReceiver] = []
        self._in_hand: list[Dispatcher] = []

    def add(self, stream: str, handle: Callable[[Delivery], Coroutine[None, None, None]], at_once: int) -> None:
        """Hand what comes in the stream to `handle`, up to so many deliveries at a time."""
        slots = Slots(at_once)
        in_hand = Dispatcher(handle, slots, Metrics(), _HEARTBEAT)  # the process's own metrics count mail
        intake = JetStreamReceiver(
            self._link.client,
            stream=stream,
            consumer=CONSUMER,
            slots=slots,
            start=in_hand.start,
            repair=self._repair,
        )
        self._background += [(f"feed {stream}", intake.run), (f"heartbeat {stream}", in_hand.keep_alive)]
        self._intakes.append(intake)
        self._nats.intakes.append(intake)
        self._in_hand.append(in_hand)

    async def drain(self, grace: float) -> None:
        """What outlasts the grace (seconds) comes again after the next start."""
        await asyncio.gather(*(intake.stop() for intake in self._intakes))
        await asyncio.gather(*(in_hand.drain(grace) for in_hand in self._in_hand))

    async def _repair(self) -> None:
        settings = self._link.settings
        await ensure_ledger_streams(self._link.client, settings.stream, replicas=settings.nats_replicas)
