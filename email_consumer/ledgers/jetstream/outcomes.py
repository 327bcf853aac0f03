"""Outcomes on their way to the tables: entries, gathered into batches, each acknowledged by JetStream."""

import asyncio
from uuid import uuid4

import structlog

from email_consumer.core.ledger import LedgerBlockedError
from email_consumer.jetstream.publisher import Publisher, TooLargeError

_INTERVAL = 0.01
"""Seconds between the starts of two batches at the least."""
_MOST_ENTRIES = 200
_MOST_BYTES = 256 * 1024
_HEADER_ROOM = 128

_log = structlog.get_logger(__name__)


class OutcomePublisher:
    """Gathers entries; each is answered once the stream has stored its batch."""

    def __init__(self, publisher: Publisher, subject: str, patience: float) -> None:
        """`patience`: seconds that somebody waits for a stream that takes nothing."""
        self._patience = patience
        self._publisher = publisher
        self._subject = subject
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()

    async def submit(self, entry: bytes) -> None:
        """Return once the entry is stored.

        Raises:
            LedgerBlockedError: it isn't, or not yet. The batch that is tried at the moment goes on being tried.
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
        """Why nothing is stored at present; empty where nothing is known to be in the way."""
        reason = self._publisher.blocked(self._subject)
        return reason and f"outcomes can't be stored: {reason}"

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        earliest = loop.time()
        while True:
            await self._arrived.wait()
            await asyncio.sleep(max(0.0, earliest - loop.time()))
            earliest = loop.time() + _INTERVAL
            if batch := self._take():  # unless nobody had the patience
                await self._store(batch)

    async def _store(self, batch: list[tuple[bytes, asyncio.Future[None]]]) -> None:
        payload = b"".join(entry for entry, _ in batch)
        try:
            await self._publisher.until_stored(self._subject, payload, uuid4().hex)
        except TooLargeError as error:
            if len(batch) > 1:  # an operator limits the stream's messages to less than the server does
                await self._store(batch[: len(batch) // 2])
                await self._store(batch[len(batch) // 2 :])
                return
            _answer(batch, error)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            _answer(batch, error)
        else:
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


def _answer(batch: list[tuple[bytes, asyncio.Future[None]]], fault: Exception | None) -> None:
    for _, future in batch:
        if future.done():
            continue
        if fault:
            future.set_exception(fault)
        else:
            future.set_result(None)
