"""Publishes the outbox to JetStream: in order, each event once in the stream, whatever dies in between.

Each message names the stream's sequence that it expects before it. So after a lost acknowledgement or a crash nothing can
get in twice, nor past one that is missing: the stream's end is read, and says where to go on.
"""

import asyncio
import sqlite3
import time
from contextlib import suppress
from math import inf

import orjson
import structlog
from nats.errors import Error as NatsError
from nats.js.api import Header

from email_consumer.core.metrics import Metrics
from email_consumer.core.traceparent import TRACEPARENT
from email_consumer.jetstream.publisher import (
    ConflictError,
    LostAckError,
    Publisher,
    RefusedError,
    TooLargeError,
)
from email_consumer.outbox.document import Pending, document
from email_consumer.outbox.outbox import Outbox
from email_consumer.outbox.stream import EventStream

_BATCH = 500
_INTERVAL = 0.05
"""Minimum seconds between two queries for new rows."""
_RETRY = 0.5
_LOOK = 10.0
"""Seconds between two looks at whether the connection is still the same one, while nothing happens."""
_PATIENCE = 60.0
"""Seconds that events wait before `/ready` says so."""
TEMPORARY = (sqlite3.OperationalError, NatsError, TimeoutError, LostAckError, RefusedError, ConflictError)
"""Errors after which `flush` is tried again."""

_log = structlog.get_logger(__name__)


class EventPublisher:
    """`prepare` it before anything is recorded, then `run` it; `flush` it at the end."""

    def __init__(self, outbox: Outbox, publisher: Publisher, stream: EventStream, metrics: Metrics) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._stream = stream
        self._metrics = metrics
        self._cursor = outbox.cursor()
        self._cursor.certain = lambda: publisher.client.is_connected and not self._reconnected
        self._publishing = asyncio.Lock()
        self._sequence: int | None = None
        """Of the stream's last message; None if that has to be read."""
        self._acknowledged = 0
        """The highest sequence of the stream that was acknowledged to us."""
        self._reconnects = 0
        """Of our connection, when the stream's end was read last."""
        self._behind_since = inf
        """Since when publishing has been failing (monotonic clock)."""

    async def prepare(self) -> None:
        """Create the stream if it is missing, and continue after what it holds.

        Raises:
            nats.errors.Error: JetStream refused, or did not answer.
        """
        await self._find_end()
        await self._outbox.continue_after(self._cursor.seq)
        self._cursor.written.set()

    async def settled(self) -> None:
        """Return once no event is on its way that was read before this call."""
        async with self._publishing:
            return

    async def check(self) -> None:
        """Raise if events have been waiting for more than a minute.

        Raises:
            ConnectionError: with their number.
        """
        if time.monotonic() - self._behind_since > _PATIENCE:
            waiting = await self._outbox.waiting(self._cursor.seq)
            raise ConnectionError(f"{waiting:,} events wait for JetStream, which does not take them")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._cursor.written.wait()
            if self._reconnected:
                self._sequence = None
                self._cursor.written.set()
            try:
                await self.flush()
            except TEMPORARY as error:
                _log.debug("events.again", reason=str(error))
                self._behind_since = min(self._behind_since, time.monotonic())
                await asyncio.sleep(_RETRY)
            else:
                self._behind_since = inf
                await asyncio.sleep(_INTERVAL)

    @property
    def _reconnected(self) -> bool:
        """Whether the connection is another than the one on which the stream's end was read: the server may have lost something."""
        return bool(self._publisher.client.stats["reconnects"] != self._reconnects)

    async def flush(self) -> None:
        """Publish everything that is recorded.

        Raises:
            sqlite3.OperationalError, nats.errors.Error, TimeoutError, LostAckError, RefusedError, ConflictError: not all of
                it; what is left is published later.
        """
        written = self._cursor.written
        while written.is_set():
            written.clear()
            try:
                while await self._publish_some():
                    pass
            except BaseException:
                written.set()
                raise

    async def _publish_some(self) -> bool:
        """Whether there was anything to publish."""
        async with self._publishing:
            uncertain = self._sequence is None
            if uncertain:
                await self._find_end()
            if rows := await self._outbox.pending(self._cursor.seq, _BATCH):
                await (self._publish_each if uncertain else self._publish_chain)(rows)
        return bool(rows)

    async def _publish_chain(self, rows: list[Pending]) -> None:
        """Each message is stored only after the one before it, so the acknowledgement of the last stands for all.

        After a failure each is awaited, to see which one failed, and why.
        """
        first, self._sequence = self._sequence or 0, None  # unknown until it is answered
        *others, last = rows
        try:
            for place, row in enumerate(others):
                await self._publisher.send_unanswered(*self._message(row, first + place))
            stored = await self._publisher.once(*self._message(last, first + len(others)))
        except (ConflictError, TooLargeError):
            return  # the next time, with an acknowledgement for each
        except (RefusedError, LostAckError) as error:
            await self._publisher.pause(error, self._stream.subject(last.type))
            raise
        if stored.sequence == first + len(rows):
            self._cursor.seq, self._sequence = last.seq, stored.sequence
            self._acknowledged = stored.sequence
            self._metrics.events_published += len(rows)

    async def _publish_each(self, rows: list[Pending]) -> None:
        first, self._sequence = self._sequence or 0, None
        sent = [await self._publisher.send(*self._message(row, first + place)) for place, row in enumerate(rows)]
        answers = await asyncio.gather(*sent, return_exceptions=True)
        for row, answer in zip(rows, answers, strict=True):
            if isinstance(answer, TooLargeError):
                _log.error("events.too_large", uuid=row.uuid, type=row.type, reason=str(answer))
                self._metrics.events_dropped["jetstream"] += 1
                self._cursor.seq = row.seq  # those after it expected it
                return
            if isinstance(answer, BaseException):
                if isinstance(answer, (RefusedError, LostAckError)):
                    await self._publisher.pause(answer, self._stream.subject(row.type))
                raise answer
            self._cursor.seq, first = row.seq, answer.sequence
            self._acknowledged = answer.sequence
            self._metrics.events_published += 1
        self._sequence = first

    def _message(self, row: Pending, after: int) -> tuple[str, bytes, dict[str, str]]:
        """Subject, payload and headers; `after` is the sequence that it expects before it."""
        event = document(row, self._outbox.origin)
        headers = {Header.MSG_ID.value: event["id"], Header.EXPECTED_LAST_SEQUENCE.value: str(after)}
        if row.traceparent:
            headers[TRACEPARENT] = row.traceparent
        return self._stream.subject(row.type), orjson.dumps(event), headers

    async def _find_end(self) -> None:
        reconnects = self._publisher.client.stats["reconnects"]
        await self._stream.ensure()
        end = await self._stream.end()
        if end.sequence < self._acknowledged and 0 < end.seq < self._cursor.seq:
            events = self._cursor.seq - end.seq
            _log.warning("events.published_again", events=events, hint="JetStream has lost what it had acknowledged")
            self._cursor.seq = end.seq
        else:
            self._cursor.seq = max(self._cursor.seq, end.seq)
        self._sequence = self._acknowledged = end.sequence
        self._reconnects = reconnects
