"""Deletes messages that name an erased address from streams that keep them: events, and dead letters.

A stream has no index of addresses, so it is read from its beginning, in the background and a little at a time. What was looked
through is noted: a restart goes on from there.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from sqlite3 import Row

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from email_consumer.jetstream.api import ask
from email_consumer.jetstream.stream_reader import read_stream
from email_consumer.message.wire_format import parse
from email_consumer.runtime.duty_cycle import rest
from email_consumer.runtime.errors import OperatorError
from email_consumer.store import erasure_statements as statements
from email_consumer.store.database import Database
from email_consumer.store.mentions import mentions, value_mentions

_PAGE = 500
_SHARE = 0.2
"""Maximum share of the event loop's time."""
_RETRY = 5.0

_log = structlog.get_logger(__name__)


class StreamErasure:
    """A background service."""

    def __init__(
        self,
        database: Database,
        connection: Callable[[], AbstractAsyncContextManager[Client]],
        settled: Callable[[], Awaitable[None]],
        *,
        page: int = _PAGE,
        retry: float = _RETRY,
    ) -> None:
        """Store what it needs.

        Args:
            database: knows what is to be erased.
            connection: is opened while there is something to do.
            settled: returns once no event is on its way that was read from the tables before.
            page: messages that are read at a time.
            retry: seconds until it tries again what failed.
        """
        self._database = database
        self._connection = connection
        self._settled = settled
        self._page = page
        self._retry = retry
        self._asked = asyncio.Event()
        self._asked.set()  # what the last process left

    def wake(self) -> None:
        """An address was erased from the tables."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._erase_all()
            except (NatsError, TimeoutError, OperatorError, sqlite3.OperationalError) as error:
                _log.debug("erasure.again", error=str(error))
                self._asked.set()
                await asyncio.sleep(self._retry)

    async def _erase_all(self) -> None:
        while erasures := await self._database.fetch(statements.STREAM_ERASURES):
            await self._settled()
            async with self._connection() as client:
                await self._erase(client, erasures)

    async def _erase(self, client: Client, erasures: list[Row]) -> None:
        """Erasures of one stream."""
        stream = erasures[0]["stream"]
        addresses = {row["id"]: row["address"] for row in erasures}
        deleted = dict.fromkeys(addresses, 0)
        async for messages in self._pages(client, stream, min(row["after"] for row in erasures)):
            for message in messages:
                if named := [id_ for id_, address in addresses.items() if names(message, address)]:
                    await _delete(client, stream, _sequence(message))
                    deleted[named[0]] += 1
            progress = [{"id": id_, "after": _sequence(messages[-1]), "deleted": deleted[id_]} for id_ in addresses]
            async with self._database.transaction() as connection:
                await connection.executemany(statements.STREAM_PROGRESS, progress)
            deleted = dict.fromkeys(addresses, 0)
        async with self._database.transaction() as connection:
            for id_ in addresses:
                [row] = await connection.execute_fetchall(statements.STREAM_ERASED, (id_,))
                _log.info("erasure.stream_done", stream=stream, messages=row["deleted"])

    async def _pages(self, client: Client, stream: str, after: int) -> AsyncIterator[list[Msg]]:
        """What the stream holds now; nothing if it does not exist."""
        try:
            last = (await ask(client, f"STREAM.INFO.{stream}"))["state"]["last_seq"]
        except NotFoundError:
            return
        began, page = time.monotonic(), list[Msg]()
        async with aclosing(read_stream(client, stream, subject=">", after=after, page=self._page)) as found:
            async for message in found:
                if _sequence(message) > last:
                    break
                page.append(message)
                if len(page) == self._page:
                    yield page
                    await rest(began, _SHARE)
                    began, page = time.monotonic(), []
        if page:
            yield page


def names(message: Msg, address: str) -> bool:
    """Whether a message contains the address (in normal form), in its payload or a header."""
    if any(mentions(str(value), address) for value in (message.headers or {}).values()):
        return True
    data = message.data
    if data.isascii() and address.partition("@")[0].encode() not in data.lower() and b"\\" not in data:
        return data[:1] not in (b"{", b"[") and _payload_mentions(data, address)  # base64 hides it
    return _payload_mentions(data, address)


def _payload_mentions(data: bytes, address: str) -> bool:
    try:
        return value_mentions(parse(data), address)
    except ValueError:
        return mentions(data.decode(errors="replace"), address)


def _sequence(message: Msg) -> int:
    return int(message.metadata.sequence.stream)


async def _delete(client: Client, stream: str, sequence: int) -> None:
    """Overwritten on the server's disk, too."""
    try:
        await ask(client, f"STREAM.MSG.DELETE.{stream}", {"seq": sequence})
    except APIError:  # with various texts, if it does not exist
        try:
            await ask(client, f"STREAM.MSG.GET.{stream}", {"seq": sequence})
        except NotFoundError:
            return
        raise
