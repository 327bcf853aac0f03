"""Publishing to JetStream with many acknowledgements awaited at once.

nats-py's `publish` costs twice the CPU, and its `publish_async` never answers where the server refuses: the error is
raised inside the library's callback and the future stays open (nats-py 2.16). A refusal is what a claim lives on.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import Header

_PATIENCE = 2.0
"""Seconds after which an acknowledgement is taken for lost: servers answer in milliseconds, an election takes longer."""
_PAUSE = 0.25
_WRONG_LAST_SEQUENCE = {10071, 10164}

_NO_HEADERS: Mapping[str, str] = {}
_NO_STREAM = b'{"error": {"description": "no stream takes it at present"}}'

_log = structlog.get_logger(__name__)


class LostAckError(Exception):
    """Nobody knows whether the server stored it."""


class ConflictError(Exception):
    """Not stored: somebody else wrote to this subject meanwhile."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the stream holds it now."""

    sequence: int
    duplicate: bool
    """It was there already, under the same Nats-Msg-Id."""


class Publisher:
    """One inbox for all acknowledgements. An outage is told once, not by each who waits."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._inbox = client.new_inbox()
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._blocked = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen for acknowledgements until the block ends."""
        subscription = await self.client.subscribe(
            f"{self._inbox}.*", cb=self._arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        try:
            yield
        finally:
            with contextlib.suppress(NatsError):  # the connection may be gone already
                await subscription.unsubscribe()

    async def once(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> Stored:
        """Publish, and wait for the answer.

        Raises:
            ConflictError: `Nats-Expected-Last-Subject-Sequence` didn't hold.
            LostAckError: no answer, or none that says so or so; some time has passed since.
        """
        try:
            answer = await self._ask(subject, payload, headers)
        except (NatsError, TimeoutError) as error:
            raise await self._lost(repr(error)) from None
        if refusal := answer.get("error"):
            if refusal.get("err_code") in _WRONG_LAST_SEQUENCE:
                raise ConflictError
            raise await self._lost(refusal.get("description", str(refusal)))
        if self._blocked:
            self._blocked = False
            _log.info("jetstream.unblocked")
        return Stored(answer["seq"], answer.get("duplicate", False))

    async def until_stored(
        self, subject: str, payload: bytes, identity: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Stored:
        """Publish until it is stored, however long NATS is away; `identity` keeps it from being stored twice."""
        while True:
            try:
                return await self.once(subject, payload, {**headers, Header.MSG_ID.value: identity})
            except LostAckError as error:
                _log.debug("jetstream.again", subject=subject, reason=str(error))

    async def pause(self) -> None:
        """Until there is a connection, and a moment longer."""
        while True:
            await asyncio.sleep(_PAUSE)
            if self.client.is_connected:
                return

    async def _ask(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        reply = f"{self._inbox}.{next(self._numbers)}"
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[reply] = future
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.client.publish(subject, payload, reply=reply, headers=dict(headers))
                answer = await future
        finally:
            del self._waiting[reply]
        return orjson.loads(answer or _NO_STREAM)

    async def _arrived(self, message: Msg) -> None:
        # Empty: nobody listens to the subject, as while a stream has no leader.
        future = self._waiting.get(message.subject)
        if future and not future.done():
            future.set_result(message.data)

    async def _lost(self, reason: str) -> LostAckError:
        if not self._blocked:
            self._blocked = True
            _log.warning("jetstream.blocked", reason=reason, hint="what has to be stored waits for JetStream")
        await self.pause()
        return LostAckError(reason)
