"""The connections to SES: kept while they are used, no more of them than requests may be in flight."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from email_consumer.ses.connection import Connection
from email_consumer.ses.transport import NotWrittenError

_KEEPALIVE = 10.0
"""Seconds an idle connection is kept: less than any server keeps it, so that we never write into a closing one."""
_OPENED_TOGETHER = 16
"""Connections opened at a time: each TLS handshake takes the event loop about a millisecond of CPU."""

Connect: TypeAlias = Callable[[set[Connection]], Awaitable[Connection]]


class Connections:
    """`take` one for a request, and `give_back` every one taken."""

    def __init__(self, connect: Connect, *, limit: int, connect_timeout: float) -> None:
        """`connect_timeout`: seconds for waiting for one of the `limit` connections and opening it."""
        self._connect = connect
        self._connect_timeout = connect_timeout
        self._free = limit
        """How many requests may still begin; while some wait for their turn, 0."""
        self._turns: deque[asyncio.Future[None]] = deque()
        self._opening = asyncio.Semaphore(_OPENED_TOGETHER)
        self._idle: deque[Connection] = deque()  # the one used last is at the right and is the next to be used
        self._open: set[Connection] = set()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self, until: float) -> Connection:
        """One that is ready for a request, waited for until `until` (event-loop clock) at the latest.

        Raises:
            NotWrittenError: no connection was to be had in time.
        """
        if self._free and (idle := self._usable()):
            self._free -= 1
            return idle
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(until, now + self._connect_timeout)):
                return await self._opened()
        except TimeoutError as error:
            raise NotWrittenError("there was no connection in time") from error

    def give_back(self, connection: Connection) -> None:
        """After its exchange, however that ended."""
        if connection.reusable:
            self._idle.append(connection)
            if self._sweep_timer is None:
                self._sweep_after(_KEEPALIVE)
        self._end_turn()

    async def close(self) -> None:
        """Close all of them, also those in use."""
        self._closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for connection in list(self._open):
            connection.abort()
            await connection.lost.wait()

    def _usable(self) -> Connection | None:
        expired = asyncio.get_running_loop().time() - _KEEPALIVE
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > expired and connection.is_usable():
                return connection
            connection.abort()
        return None

    async def _opened(self) -> Connection:
        await self._turn()
        try:
            async with self._opening:
                return self._usable() or await self._connected()
        except BaseException:
            self._end_turn()
            raise

    async def _turn(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # it came together with the cancellation
                self._end_turn()
            raise

    def _end_turn(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def _connected(self) -> Connection:
        try:
            connection = await self._connect(self._open)
        except TimeoutError:
            raise
        except Exception as error:  # DNS, TCP, TLS: whatever it is, no request was written
            raise NotWrittenError(f"{type(error).__name__}: {error}") from error
        if self._closed:
            connection.abort()
            raise NotWrittenError("the client is closed")
        return connection

    def _sweep_after(self, seconds: float) -> None:
        self._sweep_timer = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweep_timer = None
        now = asyncio.get_running_loop().time()
        while self._idle and self._idle[0].idle_since + _KEEPALIVE <= now:
            self._idle.popleft().abort()
        if self._idle:
            self._sweep_after(self._idle[0].idle_since + _KEEPALIVE - now)
