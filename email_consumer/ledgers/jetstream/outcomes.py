"""Publishes mail states to the stream of outcomes, in batches that JetStream acknowledges."""

import asyncio
from uuid import uuid4

import structlog

from email_consumer.core.ledger import LedgerBlockedError
from email_consumer.jetstream.publisher import Publisher, TooLargeError
from email_consumer.jetstream.stored_lately import StoredLately

_INTERVAL = 0.01
"""Minimum seconds between the starts of two batches."""
_MOST_ENTRIES = 200
_MOST_BYTES = 256 * 1024
_HEADER_ROOM = 128

_log = structlog.get_logger(__name__)


class OutcomePublisher:
    """Gathers states into batches; each submission returns once the stream has stored its batch."""

    def __init__(self, publisher: Publisher, subject: str, patience: float, stored: StoredLately) -> None:
        """`patience`: seconds a submission waits while the stream accepts nothing. `stored` gets what it has accepted."""
        self._patience = patience
        self._stored = stored
        self._publisher = publisher
        self._subject = subject
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()

    async def submit(self, entry: bytes) -> None:
        """Return once the state is stored.

        Raises:
            LedgerBlockedError: it is not stored yet. A batch that is already being published is still retried.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        self._arrived.set()
        try:
            async with asyncio.timeout(self._patience):
                await future
        except TimeoutError:
            self._waiting = [each for each in self._waiting if each[1] is not future]
            raise LedgerBlockedError(self.blocked or "an outcome is not stored in time") from None

    @property
    def blocked(self) -> str:
        """Why nothing can be stored at the moment; empty if no obstacle is known."""
        reason = self._publisher.blocked(self._subject)
        return reason and f"outcomes can't be stored: {reason}"

    async def run(self) -> None:
        """Publish batches until cancelled."""
        loop = asyncio.get_running_loop()
        earliest = loop.time()
        while True:
            await self._arrived.wait()
            await asyncio.sleep(max(0.0, earliest - loop.time()))
            earliest = loop.time() + _INTERVAL
            if batch := self._take():  # empty if all callers gave up waiting
                await self._store(batch)

    async def _store(self, batch: list[tuple[bytes, asyncio.Future[None]]]) -> None:
        payload, identity = b"".join(entry for entry, _ in batch), uuid4().hex
        try:
            await self._publisher.until_stored(self._subject, payload, identity)
        except TooLargeError as error:
            if len(batch) > 1:  # an operator limits message sizes of the stream further than the server does
                await self._store(batch[: len(batch) // 2])
                await self._store(batch[len(batch) // 2 :])
                return
            _answer(batch, error)
        except Exception as error:  # noqa: BLE001 - raised to the waiting callers
            _answer(batch, error)
        else:
            self._stored.add(self._subject, payload, identity)
            _answer(batch, None)

    def _take(self) -> list[tuple[bytes, asyncio.Future[None]]]:
        count, size = 0, 0
        room = min(_MOST_BYTES, self._publisher.client.max_payload - _HEADER_ROOM)
        for entry, _ in self._waiting[:_MOST_ENTRIES]:
            size += len(entry)
            if count and size > room:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        if not self._waiting:
            self._arrived.clear()
        return batch


def _answer(batch: list[tuple[bytes, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, future in batch:
        if future.done():
            continue
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)
