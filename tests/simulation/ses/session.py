"""What a process has of AWS: `Session` and `Transport` of the program, over the model."""

import asyncio
from typing import TYPE_CHECKING, Any

from botocore.credentials import ReadOnlyCredentials

from email_consumer.core.account import Account, AccountUnavailableError
from email_consumer.runtime.clock import elapsed
from email_consumer.ses.transport import Answer, AnswerMissingError, Headers, NotWrittenError, TooLateError
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.ses.service import Ses

_ROUND_TRIP = 0.003, 0.03
"""Seconds to open a connection or to have GetAccount answered, from and to."""
_KEPT = 10.0
"""Seconds an idle connection is kept."""


class ModelSession:
    """Implements `Session`: has the credentials that were there when it was opened."""

    endpoint = "https://email.eu-west-1.amazonaws.com"

    def __init__(
        self,
        ses: "Ses",
        process: Process,
        *,
        connections: int,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        """Like `AwsSession.open`."""
        self._ses = ses
        self._process = process
        self._connections = connections
        self._connect_timeout = min(connect_timeout, read_timeout / 2)
        self._read_timeout = read_timeout
        self._credentials = ses.account.issued

    def open_transport(self, _url: str) -> "ModelTransport":
        return ModelTransport(self._ses, self._process, self._connections, self._connect_timeout)

    async def credentials(self) -> ReadOnlyCredentials:
        return self._credentials

    async def account(self) -> Account:
        ses = self._ses
        try:
            async with asyncio.timeout(self._connect_timeout + self._read_timeout):
                await round_trip(ses, self._process)
        except TimeoutError:
            raise AccountUnavailableError("TimeoutError", forbidden=False) from None
        if ses.account_forbidden:
            raise AccountUnavailableError("AccessDeniedException", forbidden=True)
        if ses.account_unavailable:
            raise AccountUnavailableError(ses.account_unavailable, forbidden=False)
        if self._credentials != ses.account.accepted:
            raise AccountUnavailableError("ExpiredTokenException", forbidden=False, refused=True)
        return ses.account.read()

    async def read(self, operation: str, **_arguments: object) -> dict[str, Any]:
        """Nothing else is modelled."""
        raise AccountUnavailableError(f"{operation} is not modelled", forbidden=False)

    async def close(self) -> None:
        """Nothing was opened."""


class ModelTransport:
    """Implements `Transport`: a pool of connections, whose requests take the courses that the model gives them."""

    def __init__(self, ses: "Ses", process: Process, connections: int, connect_timeout: float) -> None:
        self._ses = ses
        self._process = process
        self._free = asyncio.Semaphore(connections)
        self._connect_timeout = connect_timeout
        self._idle: list[float] = []
        """Until when each idle connection is kept, by the loop's clock."""

    async def post(self, body: bytes, headers: Headers, until: float, deadline: float) -> Answer:
        exchange = self._ses.begin(self._process, body)
        await self._take_connection()
        try:
            await self._connect(connects=exchange.course.connects)
            if elapsed() > deadline:
                raise TooLateError
            answer: asyncio.Future[Answer] = self._process.create_future()
            self._ses.write(exchange, headers.together(), answer)
            try:
                async with asyncio.timeout_at(until):
                    received = await answer
            except TimeoutError:
                raise AnswerMissingError("TimeoutError") from None
            self._idle.append(self._process.time() + _KEPT)
            return received
        finally:
            self._free.release()

    async def _take_connection(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._free.acquire()
        except TimeoutError:
            raise NotWrittenError("ConnectionTimeoutError: no free connection") from None

    async def _connect(self, *, connects: bool) -> None:
        while connects and self._idle:
            if self._process.time() < self._idle.pop():
                return
        try:
            async with asyncio.timeout(self._connect_timeout):
                await round_trip(self._ses, self._process)
        except TimeoutError:
            raise NotWrittenError("ConnectionTimeoutError: no answer from the host") from None
        if not connects:
            raise NotWrittenError("ClientConnectorError: connection refused")

    async def close(self) -> None:
        self._idle.clear()


async def round_trip(ses: "Ses", process: Process) -> None:
    """A few milliseconds to SES and back; forever while it can't be reached."""
    arrived: asyncio.Future[None] = process.create_future()

    if process.name not in ses.cut_off:
        ses.world.after(ses.world.random.uniform(*_ROUND_TRIP), process.call, _resolve, arrived)
    await arrived


def _resolve(arrived: asyncio.Future[None]) -> None:
    if not arrived.done():
        arrived.set_result(None)
