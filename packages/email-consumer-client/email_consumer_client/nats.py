"""Publishes to JetStream; needs the extra `nats`."""

import asyncio
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4

import msgpack
import nats
from nats.aio.client import Client as Connection
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, NoStreamResponseError

from email_consumer_client.errors import NotAcknowledgedError, RefusedError, UnreachableError
from email_consumer_client.message import Message, as_map

_PENDING = 256
"""Mails that wait for their acknowledgement at the same time."""


class Published(NamedTuple):
    """A mail that is in the stream."""

    uuid: str
    stream: str
    sequence: int
    duplicate: bool
    """The stream had a message with this uuid already and did not store another one."""


class AsyncNatsPublisher:
    """`async with AsyncNatsPublisher("nats://127.0.0.1:4222") as publisher:` publishes through one connection.

    Each mail is published with its uuid as `Nats-Msg-Id`, and again with the same one if the acknowledgement is lost.
    """

    def __init__(
        self,
        servers: str | list[str] = "nats://127.0.0.1:4222",
        *,
        subject: str = "messages.email",
        transactional_subject: str = "messages.transactional",
        timeout: float = 5,
        repetitions: int = 2,
        **options: Any,  # noqa: ANN401 - those of nats.connect
    ) -> None:
        """`timeout` in seconds of one attempt; `options` of `nats.connect`, such as `user_credentials` or `tls`."""
        self._options = {"servers": servers, "error_cb": self._note, "max_reconnect_attempts": -1} | options
        self._subjects = {"transactional": transactional_subject}
        self._subject = subject
        self._timeout = timeout
        self._repetitions = repetitions
        self._pending = asyncio.Semaphore(_PENDING)
        self._connecting = asyncio.Lock()
        self._connection: Connection | None = None
        self._latest_error = ""

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect, unless that was done before; also after the server has closed the connection for good.

        Raises:
            UnreachableError: no server answers, or it refuses the credentials.
        """
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed:
                return
            try:
                async with asyncio.timeout(self._timeout):
                    self._connection = await nats.connect(**self._options)
            except (NatsError, OSError) as error:
                reason = str(error) or self._latest_error or type(error).__name__
                raise UnreachableError(f"NATS at {self._options['servers']}: {reason}") from error

    async def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):  # the connection may be lost at the moment
                await self._connection.close()
            self._connection = None

    async def publish(self, *messages: Message) -> list[Published]:
        """Publish each message to each of its recipients; every mail is in the stream when this returns.

        Returns one entry per recipient in the order given.

        Raises:
            ExceptionGroup: of the errors below, if there is more than one mail; all other mails are in the stream. Each
                error has the `uuid` of its mail.
            RefusedError: the server refused the mail; publishing it again as it is won't help.
            NotAcknowledgedError: there was no acknowledgement after all attempts.
            UnreachableError: as `connect`, which is called if need be.
        """
        await self.connect()
        mails = [(each, each.uuid or str(uuid4()), email) for each in messages for email in each.recipients]
        results = await asyncio.gather(*(self._publish(*mail) for mail in mails), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if len(mails) == 1 and errors:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup(f"{len(errors)} of {len(mails)} mails were not published", errors)
        return [result for result in results if not isinstance(result, BaseException)]

    async def _note(self, error: Exception) -> None:
        """In place of nats-py's log line with a traceback for each failed attempt to connect."""
        self._latest_error = str(error) or type(error).__name__

    async def _publish(self, message: Message, uuid: str, email: str) -> Published:
        subject = self._subjects.get(message.lane or "", self._subject)
        payload: bytes = msgpack.packb(as_map(message, uuid, email))
        async with self._pending:
            for _ in range(self._repetitions):
                try:
                    return await self._attempt(subject, uuid, payload)
                except NotAcknowledgedError:
                    continue
            return await self._attempt(subject, uuid, payload)

    async def _attempt(self, subject: str, uuid: str, payload: bytes) -> Published:
        if self._connection is None:
            raise NotAcknowledgedError(f"{uuid}: the publisher was closed", uuid)
        jetstream = self._connection.jetstream(timeout=self._timeout)
        try:
            stored = await jetstream.publish(subject, payload, headers={"Nats-Msg-Id": uuid})
        except (NoStreamResponseError, NoRespondersError):
            raise RefusedError(f"{uuid}: no stream takes {subject}", uuid) from None
        except MaxPayloadError:
            size = f"{len(payload):,} bytes; the server takes {self._connection.max_payload:,} (max_payload)"
            raise RefusedError(f"{uuid}: {size}", uuid) from None
        except APIError as error:
            raise RefusedError(f"{uuid}: {error.description}", uuid) from error
        except (NatsTimeoutError, TimeoutError, NatsError, OSError) as error:
            raise NotAcknowledgedError(
                f"{uuid}: no acknowledgement ({str(error) or type(error).__name__})", uuid
            ) from error
        return Published(uuid, stored.stream, stored.seq, bool(stored.duplicate))


class NatsPublisher:
    """`AsyncNatsPublisher` for programs without asyncio: its connection lives in a thread. Thread-safe.

    Make it after a fork, not before: threads don't survive one.
    """

    def __init__(self, servers: str | list[str] = "nats://127.0.0.1:4222", **options: Any) -> None:  # noqa: ANN401
        """`options`: as of `AsyncNatsPublisher`."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="email-consumer-nats", daemon=True)
        self._publisher = AsyncNatsPublisher(servers, **options)
        self._thread.start()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """As `AsyncNatsPublisher.connect`."""
        asyncio.run_coroutine_threadsafe(self._publisher.connect(), self._loop).result()

    def publish(self, *messages: Message) -> list[Published]:
        """As `AsyncNatsPublisher.publish`."""
        return asyncio.run_coroutine_threadsafe(self._publisher.publish(*messages), self._loop).result()

    def close(self) -> None:
        """Close the connection and end the thread; the publisher can't be used again."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._publisher.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
