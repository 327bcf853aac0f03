"""Deliveries from a JetStream pull consumer, through one inbox that stays.

nats-py's `fetch` makes a subscription, a task and a time-out per batch and can stall on an orphaned pull; here pull
requests go to the server as slots become free, and whatever it delivers arrives in one callback.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from math import inf

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from email_consumer.core.delivery import DONE, Delivery
from email_consumer.core.delivery_slots import DeliverySlots
from email_consumer.jetstream.client import SteadyClient
from email_consumer.message.lane import Lane
from email_consumer.runtime.ticks import until_tick
from email_consumer.sources.jetstream.consumer import Consumer
from email_consumer.sources.jetstream.delivery import JetStreamDelivery
from email_consumer.sources.jetstream.durable_consumer import TopologyError
from email_consumer.sources.jetstream.pull_limits import HEARTBEAT

_MISSED = 2.5 * HEARTBEAT
"""Seconds of silence after which a pull request counts as lost."""
_REFRESH_EVERY = 10.0
"""Maximum seconds between two reads of the consumer's info: nothing else shows that it is paused."""
_PAUSE = 0.05
"""Seconds from one request to the next for a few free slots: where mail waits for its turn, each that is sent frees one."""
_BACKOFF = 1.0
_LOG_EVERY = 60.0
"""Seconds before the same trouble is worth another line."""
_STOP_TIMEOUT = 5.0
_MOST_EMPTY = 10_000
"""Messages without a payload whose sequences are remembered."""

_log = structlog.get_logger(__name__)


class JetStreamReceiver:
    """Keeps the slots full. Survives server restarts: lost requests are repeated."""

    def __init__(
        self,
        client: Client,
        *,
        stream: str,
        consumer: str,
        slots: DeliverySlots,
        start: Callable[[Delivery], None],
        repair: Callable[[], Awaitable[None]],
        lane: Lane = Lane.BULK,
    ) -> None:
        """`start` handles a delivery in a new task; `repair` recreates stream and consumer if they are gone.

        `lane`: of all that comes from this consumer.
        """
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._consumer = Consumer(client, stream=stream, consumer=consumer)
        self._slots = slots
        self._start = start
        self._repair = repair
        self._lane = lane
        self._inbox = client.new_inbox()
        self._numbers = count(1)
        self._requested = 0
        self._batch = 1
        """How many free slots, besides those of what is requested, are worth another request."""
        self._pin = ""
        self._asked_at = -inf
        self._heard_at = 0.0
        self._refreshed_at = 0.0
        self._trouble = ""
        """What keeps our requests from being answered, until one is."""
        self._unreadable = ""
        """Why the consumer's info can't be read, until it can."""
        self._logged: tuple[str, float] = ("", 0.0)
        self._broken = False
        self._pausing = False
        self._stopping = False
        self._empty: set[int] = set()
        """Sequences that came without the payload that their header speaks of, before the consumer was looked at."""
        self._subscription: Subscription | None = None
        self._giving_back: set[asyncio.Future[None]] = set()
        self._wake = asyncio.Event()
        self._reconnects = client.stats["reconnects"]
        slots.on_change(self._wake_if_due)

    @property
    def held(self) -> str:
        """Why no mail comes although some may wait, in plain words; empty while nothing is known to be in its way."""
        full = "" if self._slots.taken else self._consumer.full  # unsettled deliveries of this process will be settled
        return self._trouble or self._unreadable or self._consumer.held or full

    async def run(self) -> None:
        """Pull until cancelled, or until `stop`."""
        self._heard_at = time.monotonic()
        # No limit of the client's own: what exceeds it would be dropped, and come again after ACK_WAIT only. Requests
        # are bounded by bytes, and slots by unsettled deliveries.
        self._subscription = await self._client.subscribe(
            f"{self._inbox}.*", cb=self._arrived_later, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        if isinstance(self._client, SteadyClient):
            self._client.deliver_at_once(self._subscription, self._arrived)
        while not self._stopping:
            self._wake.clear()
            if self._broken:
                await self._repair_topology()
            elif self._pausing:
                self._pausing = False
                await asyncio.sleep(_BACKOFF)
            self._give_up_lost_requests()
            if self._client.is_connected and not self._broken:  # otherwise the reason is logged below
                await self._fill()
            self._log_change()
            may_ask = self._client.is_connected and self._slots.free and not self._requested
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE if may_ask else until_tick(HEARTBEAT / 2)):
                    await self._wake.wait()

    async def stop(self) -> None:
        """Start no more deliveries; what still arrives goes back at once."""
        self._stopping = True
        self._wake.set()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                if self._subscription is not None:
                    await self._subscription.drain()  # type: ignore[no-untyped-call]
        except (TimeoutError, NatsError) as error:
            _log.warning("intake.stop_incomplete", error=repr(error), hint="what is left comes back after ACK_WAIT")

    def _give_up_lost_requests(self) -> None:
        if self._reconnects != self._client.stats["reconnects"]:  # the server that held our requests is gone
            self._reconnects = self._client.stats["reconnects"]
            self._requested = 0
        silence = time.monotonic() - self._heard_at
        if self._requested and silence > _MISSED:
            _log.warning("intake.silent", seconds=round(silence, 1), lost=self._requested)
            self._trouble = "NATS gives no answer to requests for mail; check our user's permissions on $JS.API.>"
            self._requested = 0

    async def _fill(self) -> None:
        """Ask for what is due. Whatever may have become of stream and consumer since the last request, we know it first."""
        self._batch = max(1, self._most() // 2)
        due = self._due()
        if (due and not self._requested) or time.monotonic() - self._refreshed_at > _REFRESH_EVERY:
            if not await self._refresh():
                return
            due = self._due()
        if not due or self._broken:
            return
        if not self._requested:
            self._heard_at = time.monotonic()
        for request in self._consumer.limits.requests(due, self._client.max_payload, self._pin):
            batch = request["batch"]
            self._requested += batch
            reply = f"{self._inbox}.{next(self._numbers)}-{batch}"
            self._asked_at = time.monotonic()
            await self._client.publish(self._subject, orjson.dumps(request), reply=reply)

    async def _refresh(self) -> bool:
        try:
            await self._consumer.refresh()
        except NotFoundError as error:
            self._break(f"the consumer or its stream is gone ({error.description})")
        except (NatsError, TimeoutError) as error:
            self._unreadable, self._pausing = f"JetStream gives no answer ({error!r})", True
            self._wake.set()
        else:
            self._unreadable, self._refreshed_at = "", time.monotonic()
            if not self._consumer.headers_only:
                return True
            self._break("the consumer delivers headers only")
        return False

    def _without_payload(self, delivery: JetStreamDelivery) -> bool:
        """Whether the consumer left the payload out, as it does once an operator edits it to deliver headers only.

        Taken for the mail, that would become an empty dead letter, and the mail would be lost. The header may as well be
        the publisher's own, so it only makes us check the consumer before the message comes again.
        """
        if delivery.payload or delivery.headers.get("Nats-Msg-Size", "0") == "0":
            return False
        if delivery.sequence in self._empty and not self._consumer.headers_only:
            self._empty.discard(delivery.sequence)
            return False
        if len(self._empty) >= _MOST_EMPTY:
            self._empty.clear()
        self._empty.add(delivery.sequence)
        self._refreshed_at = 0.0
        self._wake.set()
        return True

    def _due(self) -> int:
        """How many to ask for now: at half empty or after a pause, so that a busy worker doesn't ask for each mail."""
        limits = self._consumer.limits
        if self._requested and not limits.overlap:
            return 0
        most = self._most()
        due = int(min(self._slots.free, most)) - self._requested
        paused = not self._requested and time.monotonic() - self._asked_at >= _PAUSE
        return due if due > 0 and (paused or due >= most // 2) else 0

    def _most(self) -> int:
        """How many to ask for at once."""
        return int(min(self._slots.capacity, self._consumer.limits.at_once(self._client.max_payload)))

    def _wake_if_due(self) -> None:
        unrequested = self._slots.free - self._requested
        if (unrequested >= self._batch or not self._requested) and not self._wake.is_set() and self._due():
            self._wake.set()

    async def _arrived_later(self, message: Msg) -> None:
        self._arrived(message)

    def _arrived(self, message: Msg) -> None:
        self._heard_at = time.monotonic()
        headers = message.headers or {}
        if not message.reply.startswith("$JS.ACK."):
            self._status(headers, int(message.subject.rpartition("-")[2]))
            return
        self._trouble = ""
        self._pin = headers.get("Nats-Pin-Id", self._pin)
        self._requested = max(0, self._requested - 1)
        delivery = JetStreamDelivery(self._client, message, self._consumer.stream_id, self._lane)
        if self._stopping:
            self._give_back(delivery, 0)
        elif self._without_payload(delivery):
            self._give_back(delivery, _BACKOFF)
        else:
            self._start(delivery)
            self._wake_if_due()

    def _give_back(self, delivery: JetStreamDelivery, delay: float) -> None:
        if (settling := delivery.nak(delay)) is not DONE:
            task = asyncio.ensure_future(settling)
            self._giving_back.add(task)
            task.add_done_callback(self._giving_back.discard)

    def _status(self, headers: Mapping[str, str], batch: int) -> None:
        """What became of a request for `batch` messages."""
        status, text = headers.get("Status", ""), headers.get("Description", "")
        pending = int(headers.get("Nats-Pending-Messages", batch))
        match status:
            case "100":  # idle heartbeat
                self._trouble = ""
                return
            case "408" | "409" if "Nats-Pending-Messages" in headers:  # the request is over, so much of it unserved
                self._requested = max(0, self._requested - pending)
                self._pausing = pending == batch and 0 < self._consumer.limits.expires < _BACKOFF
                if pending == batch and text == "Message Size Exceeds MaxBytes":
                    self._refuse(f"{text}: the consumer's max_bytes is less than the next mail has")
                else:
                    self._trouble = ""
            case "423":  # another client is served now, until it falls silent
                self._pin, self._requested = "", max(0, self._requested - batch)
            case "400" | "409" if text.startswith(("Bad Request", "Exceeded")):
                self._requested = max(0, self._requested - batch)
                self._consumer.refused(text)
                self._refuse(text)
            case _:
                self._break(f"{status} {text}" if status != "503" else "nobody answers requests for mail")
        self._wake.set()

    def _refuse(self, answer: str) -> None:
        self._trouble, self._pausing = f"NATS refuses a request for mail: {answer}", True

    def _break(self, answer: str) -> None:
        self._trouble, self._broken, self._requested = answer, True, 0
        self._wake.set()

    async def _repair_topology(self) -> None:
        self._log_change()
        self._broken = False
        await asyncio.sleep(_BACKOFF)
        try:
            await self._repair()
        except (NatsError, TimeoutError, TopologyError) as error:
            self._break(str(error))

    def _log_change(self) -> None:
        """What is in the way is worth a line when it begins, once a minute, and when it is over."""
        reason, (before, logged_at) = self.held, self._logged
        if reason and (reason != before or time.monotonic() - logged_at > _LOG_EVERY):
            _log.warning("intake.interrupted", answer=reason)
            self._logged = (reason, time.monotonic())
        elif before and not reason:
            _log.info("intake.resumed")
            self._logged = ("", 0.0)
