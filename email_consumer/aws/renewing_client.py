"""A client of aioboto3 that finds the credentials which replaced those that AWS refuses.

botocore reads a file of credentials once in a session. What renews that file, every hour perhaps, does not restart the program.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from email_consumer.aws.client import answered
from email_consumer.aws.errors import REFUSED_CREDENTIALS

_PAUSE = 5.0
"""Seconds between two walks through the credential chain."""


class RenewingClient:
    """An asynchronous context manager; calls go through `ask`."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        """`make` gives a client of a new session."""
        self._make = make
        self._renewing = asyncio.Lock()
        self._renewed_at = -math.inf

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._context.__aexit__(kind, error, trace)

    async def ask(self, operation: str, *, within: float, **arguments: object) -> dict[str, Any]:
        """Call an operation by botocore's name. Where AWS refuses the credentials, the next call has those of this moment.

        Raises:
            botocore.exceptions.ClientError: as `answered`.
            NoAnswerError: as `answered`.
        """
        client = self.current
        try:
            return await answered(getattr(client, operation)(**arguments), within=within)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in REFUSED_CREDENTIALS:
                # Files may be unreadable at the moment, and a provider may not answer.
                with suppress(BotoCoreError, TimeoutError):
                    async with asyncio.timeout(within):
                        await self._renew(client)
            raise

    async def _renew(self, refused: Any) -> None:  # noqa: ANN401 - aioboto3 is untyped
        async with self._renewing:
            if self.current is not refused or time.monotonic() - self._renewed_at < _PAUSE:
                return
            self._renewed_at = time.monotonic()
            former = self._context
            await self._open()
            await former.__aexit__(None, None, None)

    async def _open(self) -> None:
        context = self._make()
        self.current = await context.__aenter__()
        self._context = context
