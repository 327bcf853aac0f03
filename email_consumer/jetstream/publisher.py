"""The one way of publishing to JetStream: many acknowledgements awaited at once, a refusal heard in the server's own words.

nats-py's `publish` costs twice the CPU, and its `publish_async` never answers where the server refuses: the error is
raised inside the library's callback and the future stays open (nats-py 2.16). A refusal is what a claim lives on.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from math import inf
from uuid import uuid4

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import Header
from nats.js.errors import NotFoundError

from email_consumer.jetstream.client import SteadyClient

_PATIENCE = 2.0
"""Seconds after which an acknowledgement is taken for lost: servers answer in milliseconds, an election takes longer."""
_PAUSE = 0.25
_PAUSES = 4
"""While there is no connection."""
_REMEMBERED = 60.0
"""Seconds for which a refusal is assumed to last: a publisher with something to store retries sooner."""
_WRONG_LAST_SEQUENCE = {10071, 10164}
_TOO_LARGE_FOR_STREAM = 10054

_NO_HEADERS: Mapping[str, str] = {}

_log = structlog.get_logger(__name__)


class LostAckError(Exception):
    """Nobody knows whether the server stored it."""


class RefusedError(Exception):
    """Certainly not stored; the text is the server's own."""


class NoStreamError(RefusedError):
    """No stream takes the subject: it does not exist, or has no leader at the moment."""


class TooLargeError(RefusedError):
    """It never will be stored, as things are: the text names the limit."""


class ConflictError(Exception):
    """Not stored: somebody else wrote to this subject meanwhile."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where it was stored."""

    stream: str
    sequence: int
    duplicate: bool
    """The stream had been given this Nats-Msg-Id before. Whether it still holds that message is another question: ids
    are remembered beyond a purge."""


class Publisher:
    """One inbox for all acknowledgements. An outage is logged once, not by each who waits."""

    def __init__(self, client: Client, patience: float = _PATIENCE) -> None:
        """`patience`: seconds after which an acknowledgement is taken for lost."""
        self.client = client
        self._patience = patience
        self._jetstream = client.jetstream(timeout=patience)
        self._inbox = client.new_inbox()
        self._listening = False
        self._numbers = count(1)
        self._waiting: dict[str, tuple[asyncio.Future[Stored], float]] = {}
        """By reply subject, in the order in which they were sent, with the time when patience ends (event-loop clock)."""
        self._timer: asyncio.TimerHandle | None = None
        """For the first of them that is not answered."""
        self._blocked: dict[str, tuple[str, float]] = {}
        """Why a stream took nothing and when (monotonic clock), by its name; until it takes something."""

    async def send(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> "asyncio.Future[Stored]":
        """Publish without waiting; what `once` returns or raises is the future's, at the latest when patience ends."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Stored] = loop.create_future()
        if error := self._too_large(payload, headers):
            future.set_exception(error)
            return future
        reply = f"{self._inbox}.{next(self._numbers)}"
        self._waiting[reply] = future, loop.time() + self._patience
        if self._timer is None:
            # A timer and no `asyncio.timeout`: nats-py swallows a cancellation that comes while it writes.
            self._timer = loop.call_later(self._patience, self._expire)
        try:
            await self._listen()
            client = self.client
            if not (isinstance(client, SteadyClient) and client.publish_at_once(subject, payload, reply, headers)):
                await client.publish(subject, payload, reply=reply, headers=dict(headers) or None)
        except NatsError as lost:
            self._waiting.pop(reply, None)
            _fail(future, LostAckError(repr(lost)))
        return future

    async def send_unanswered(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """Publish without an acknowledgement, where the one of a later message shows that this one was stored.

        Raises:
            TooLargeError: for the server; the text names the limit.
            LostAckError: there is no connection.
        """
        if error := self._too_large(payload, headers):
            raise error
        try:
            client = self.client
            if not (isinstance(client, SteadyClient) and client.publish_at_once(subject, payload, headers=headers)):
                await client.publish(subject, payload, headers=dict(headers) or None)
        except NatsError as error:
            raise LostAckError(repr(error)) from None

    async def once(self, subject: str, payload: bytes, headers: Mapping[str, str] = _NO_HEADERS) -> Stored:
        """Publish, and wait for the answer.

        Raises:
            RefusedError: the server said no; `NoStreamError` and `TooLargeError` are two kinds of it.
            ConflictError: `Nats-Expected-Last-Subject-Sequence` didn't hold.
            LostAckError: no answer.
        """
        return await (await self.send(subject, payload, headers))

    async def until_stored(
        self, subject: str, payload: bytes, identity: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> Stored:
        """Publish until it is stored, however long NATS is away; `identity` keeps it from being stored twice.

        Raises:
            TooLargeError: trying again is no use.
        """
        while True:
            try:
                return await self.once(subject, payload, {**headers, Header.MSG_ID.value: identity})
            except TooLargeError:
                raise
            except (LostAckError, RefusedError) as error:
                _log.debug("jetstream.again", subject=subject, reason=str(error))
                await self.pause(error, subject)

    async def store(self, subject: str, payload: bytes, identity: str, headers: Mapping[str, str]) -> Stored:
        """Once, under this name; but a duplicate is only believed of a message that the stream still holds.

        One that is gone was settled, or purged and lost: it is stored again, under another name. So this is for
        streams whose consumers know what they have had.

        Raises:
            RefusedError, LostAckError: as `once`.
        """
        stored = await self.once(subject, payload, {**headers, Header.MSG_ID.value: identity})
        if not stored.duplicate or await self.holds(stored, identity):
            return stored
        return await self.once(subject, payload, {**headers, Header.MSG_ID.value: fresh(identity)})

    async def holds(self, stored: Stored, identity: str) -> bool:
        """Whether the message of that name, once stored there, is still in the stream.

        Raises:
            LostAckError: no answer.
        """
        try:
            raw = await self._jetstream.get_msg(stored.stream, stored.sequence)
        except NotFoundError:
            return False
        except (NatsError, TimeoutError) as error:
            raise LostAckError(
                f"known, but it is uncertain whether {stored.stream} still holds it: {error!r}"
            ) from None
        return (raw.headers or {}).get(Header.MSG_ID.value) == identity

    async def pause(self, reason: Exception, subject: str) -> None:
        """A moment, longer while there is no connection; `reason` is why somebody waits for what takes the subject."""
        stream = _stream_of(subject)
        if not self.blocked(subject):
            hint = "what has to be stored there waits for it, or goes back to where it came from"
            _log.warning("jetstream.blocked", stream=stream, reason=str(reason), hint=hint)
        self._blocked[stream] = str(reason) or repr(reason), time.monotonic()
        for _ in range(_PAUSES):
            await asyncio.sleep(_PAUSE)
            if self.client.is_connected:
                return

    def blocked(self, subject: str) -> str:
        """Why nothing was stored on this subject when it was tried last; empty where something was."""
        reason, at = self._blocked.get(_stream_of(subject), ("", -inf))
        return reason if time.monotonic() - at < _REMEMBERED else ""

    async def check(self) -> None:
        """Raise while somebody waits for a stream or a bucket that takes nothing.

        Raises:
            ConnectionError: with the server's own words.
        """
        for stream in self._blocked:
            if reason := self.blocked(stream):
                raise ConnectionError(f"JetStream takes nothing into {stream}: {reason}")

    def _too_large(self, payload: bytes, headers: Mapping[str, str]) -> TooLargeError | None:
        """The server would not refuse it: it closes the connection, for good."""
        if (size := len(payload) + header_bytes(headers)) <= self.client.max_payload:
            return None
        limit = f"the server takes {self.client.max_payload:,} (max_payload)"
        return TooLargeError(f"a message of {size:,} bytes with its headers; {limit}")

    async def _listen(self) -> None:
        if self._listening:
            return
        self._listening = True  # before it is: the server reads what is written in its order
        subscription = await self.client.subscribe(
            f"{self._inbox}.*", cb=self._arrived_later, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        if isinstance(self.client, SteadyClient):
            self.client.deliver_at_once(subscription, self._arrived)

    async def _arrived_later(self, message: Msg) -> None:
        self._arrived(message)

    def _arrived(self, message: Msg) -> None:
        future, _ = self._waiting.pop(message.subject, (None, 0.0))
        if future is None or future.done():
            return
        try:
            stored = _read(message.data)
        except (ConflictError, RefusedError, LostAckError) as error:
            _fail(future, error)
        else:
            future.set_result(stored)
            if stored.stream in self._blocked:
                del self._blocked[stored.stream]
                _log.info("jetstream.unblocked", stream=stored.stream)

    def _expire(self) -> None:
        """Patience has ended for the first of those who wait, if it was not answered meanwhile."""
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting:
            reply, (future, until) = next(iter(self._waiting.items()))
            if until > loop.time():
                self._timer = loop.call_at(until, self._expire)
                return
            del self._waiting[reply]
            _fail(future, LostAckError("no acknowledgement"))


def header_bytes(headers: Mapping[str, str]) -> int:
    """The size of the header block, as nats-py writes it."""
    if not headers:
        return 0
    return len("NATS/1.0\r\n\r\n") + sum(
        len(name) + len(value.encode()) + len(": \r\n") for name, value in headers.items()
    )


def _stream_of(subject: str) -> str:
    """As ours are named: a stream like the first word of its subjects, a bucket by JetStream's own rule."""
    first, _, rest = subject.partition(".")
    return f"KV_{rest.partition('.')[0]}" if first == "$KV" else first


def fresh(identity: str) -> str:
    """Another name for the same message, that no stream knows."""
    return f"{identity}:{uuid4().hex}"


def _read(answer: bytes) -> Stored:
    if not answer:  # nobody listens to the subject, as while a stream has no leader
        raise NoStreamError("no stream takes it at present")
    try:
        reply = orjson.loads(answer)
        error = reply.get("error")
        if not error:
            return Stored(reply["stream"], reply["seq"], reply.get("duplicate", False))
    except (ValueError, KeyError, AttributeError):  # from another subscriber of the subject
        raise LostAckError("the answer is not from JetStream") from None
    code, text = error.get("err_code"), error.get("description") or str(error)
    if code in _WRONG_LAST_SEQUENCE:
        raise ConflictError(text)
    raise TooLargeError(f"{text} (max_msg_size)") if code == _TOO_LARGE_FOR_STREAM else RefusedError(text)


def _fail(future: "asyncio.Future[Stored]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # known to be looked at, also where nobody waits any more
