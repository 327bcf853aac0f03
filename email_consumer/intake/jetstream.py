"""Deliveries from a JetStream pull consumer, through one inbox that stays.

nats-py's `fetch` makes a subscription, a task and a time-out per batch and can stall on an orphaned pull; here pull
requests go to the server as slots become free, and whatever it delivers arrives in one callback.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from time import monotonic

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from email_consumer.delivery import Delivery
from email_consumer.intake.topology import TopologyError
from email_consumer.slots import Slots

_EXPIRES = 30.0
_IDLE_HEARTBEAT = 5.0
_MISSED = 2.5 * _IDLE_HEARTBEAT
"""After so many seconds of silence a pull request is taken for lost."""
_BACKOFF = 1.0
_STOP_TIMEOUT = 5.0

_log = structlog.get_logger(__name__)


class JetStreamDelivery:
    """One message as JetStream delivered it; see `email_consumer.delivery.Delivery`."""

    __slots__ = ("_client", "_reply", "_tokens", "headers", "payload")

    source = "nats"

    def __init__(self, client: Client, message: Msg) -> None:
        self._client = client
        self._reply = message.reply
        # $JS.ACK.<stream>.<consumer>.<received>.<stream sequence>.<consumer sequence>.<time>.<pending>, newer servers
        # put <domain>.<account> before the stream (ADR-15).
        tokens = message.reply.split(".")
        self._tokens = tokens[2:] if len(tokens) == 9 else tokens[4:]  # noqa: PLR2004
        self.payload = message.data
        self.headers: Mapping[str, str] = message.headers or {}

    @property
    def reference(self) -> str:
        return f"{self._tokens[0]}:{self._tokens[3]}"

    @property
    def sequence(self) -> int:
        return int(self._tokens[3])

    @property
    def received(self) -> int:
        return int(self._tokens[2])

    @property
    def stored_at(self) -> float:
        return int(self._tokens[5]) / 1e9

    async def ack(self) -> None:
        await self._client.publish(self._reply, b"+ACK")

    async def nak(self, delay: float) -> None:
        await self._client.publish(self._reply, b'-NAK {"delay": %d}' % int(delay * 1e9))

    async def term(self) -> None:
        await self._client.publish(self._reply, b"+TERM")

    async def in_progress(self) -> None:
        await self._client.publish(self._reply, b"+WPI")


class JetStreamIntake:
    """Keeps the slots full. Survives the server: what was asked for and not heard of is asked for again."""

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        consumer: str,
        slots: Slots,
        start: Callable[[Delivery], None],
        repair: Callable[[], Awaitable[None]],
    ) -> None:
        """`start` takes a delivery in hand at once; `repair` makes stream and consumer anew if they are gone."""
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._slots = slots
        self._start = start
        self._repair = repair
        self._inbox = client.new_inbox()
        self._numbers = count(1)
        self._requested = 0
        self._heard_at = 0.0
        self._broken = ""
        self._stopping = False
        self._subscription: Subscription | None = None
        self._wake = asyncio.Event()
        self._reconnects = client.stats["reconnects"]
        slots.on_change(self._wake_if_due)

    async def run(self) -> None:
        """Pull until cancelled, or until `stop`."""
        self._heard_at = monotonic()
        self._subscription = await self._client.subscribe(
            f"{self._inbox}.*", cb=self._arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        while not self._stopping:
            if self._broken:
                await self._mend()
            if self._reconnects != self._client.stats["reconnects"]:  # the server that held our requests is gone
                self._reconnects = self._client.stats["reconnects"]
                self._requested = 0
            if self._requested and monotonic() - self._heard_at > _MISSED:
                _log.warning("intake.silent", seconds=round(monotonic() - self._heard_at, 1), lost=self._requested)
                self._requested = 0
            if self._client.is_connected:
                await self._ask()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_HEARTBEAT / 2):
                    await self._wake.wait()

    async def stop(self) -> None:
        """Take nothing more in hand; what still arrives goes back at once."""
        self._stopping = True
        self._wake.set()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                if self._subscription is not None:
                    await self._subscription.drain()  # type: ignore[no-untyped-call]
        except (TimeoutError, NatsError) as error:
            _log.warning("intake.stop_incomplete", error=repr(error), hint="what is left comes back after ACK_WAIT")

    async def _ask(self) -> None:
        batch = self._due()
        if not batch:
            return
        request = {"batch": batch, "expires": int(_EXPIRES * 1e9), "idle_heartbeat": int(_IDLE_HEARTBEAT * 1e9)}
        if not self._requested:
            self._heard_at = monotonic()
        self._requested += batch
        await self._client.publish(
            self._subject, json.dumps(request).encode(), reply=f"{self._inbox}.{next(self._numbers)}"
        )

    def _due(self) -> int:
        """How many to ask for now: at half empty, so that a busy worker doesn't ask for each mail."""
        free = self._slots.free - self._requested
        return free if free > 0 and (not self._requested or free >= self._slots.capacity // 2) else 0

    def _wake_if_due(self) -> None:
        if self._due():
            self._wake.set()

    async def _arrived(self, message: Msg) -> None:
        self._heard_at = monotonic()
        if not message.reply.startswith("$JS.ACK."):
            self._status(message.headers or {})
            return
        self._requested = max(0, self._requested - 1)
        delivery = JetStreamDelivery(self._client, message)
        if self._stopping:
            await delivery.nak(0)
        else:
            self._start(delivery)
            self._wake_if_due()

    def _status(self, headers: Mapping[str, str]) -> None:
        match headers.get("Status"):
            case "100":  # idle heartbeat
                return
            case "408" | "409" if "Nats-Pending-Messages" in headers:  # the request is over, so much of it unserved
                self._requested = max(0, self._requested - int(headers["Nats-Pending-Messages"]))
            case status:
                self._broken = f"{status} {headers.get('Description', 'no responders')}"
                self._requested = 0
        self._wake.set()

    async def _mend(self) -> None:
        _log.warning("intake.interrupted", answer=self._broken)
        self._broken = ""
        await asyncio.sleep(_BACKOFF)
        try:
            await self._repair()
        except (NatsError, TimeoutError, TopologyError) as error:
            self._broken = f"not mended yet: {error}"
