"""Many messages to JetStream, a window of them at a time, each one acknowledged as stored."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from itertools import islice

from nats.aio.client import Client
from nats.js.api import Header

from email_consumer.jetstream.publisher import (
    LostAckError,
    NoStreamError,
    Publisher,
    RefusedError,
    Stored,
    TooLargeError,
)
from email_consumer.message.model import EmailMessage, encode
from email_consumer.runtime.errors import OperatorError

_WINDOW = 500
_PATIENCE = 30.0
"""Seconds for the acknowledgement of a message."""


class PublishError(OperatorError):
    """Not everything was stored; the text says why."""


class BulkPublisher:
    """Publishes to `subject`; the counts tell how far it got.

    Attributes:
        stored: messages that the stream acknowledged.
        duplicates: how many of them it had been given before.
        gone: how many of those it doesn't hold any more; they were settled since, or purged.
        stream: its name; empty before the first acknowledgement.
    """

    def __init__(self, client: Client, subject: str) -> None:
        self._publisher = Publisher(client, _PATIENCE)
        self._subject = subject
        self.stored = 0
        self.duplicates = 0
        self.gone = 0
        self.stream = ""

    async def publish(self, messages: Iterable[EmailMessage]) -> None:
        """Publish in order. The very same mail is stored once within the stream's duplicate window.

        What differs is not for the stream to judge: under the same name it would vanish without a trace.

        Raises:
            PublishError: in plain words; what came before the refused one is stored and counted, of the rest some may be.
        """
        for window in _windows(messages):
            sent = [(message, await self._send(message)) for message in window]
            await asyncio.wait([answer for _, answer in sent])
            refusal: Exception | None = None
            for message, answer in sent:
                if error := answer.exception():
                    refusal = refusal or self._in_plain_words(error)
                else:
                    await self._count(message, answer.result())
            if refusal:
                raise refusal

    async def _send(self, message: EmailMessage) -> asyncio.Future[Stored]:
        return await self._publisher.send(self._subject, encode(message), {Header.MSG_ID.value: _name(message)})

    async def _count(self, message: EmailMessage, stored: Stored) -> None:
        self.stored += 1
        self.stream = stored.stream
        if stored.duplicate:
            self.duplicates += 1
            with contextlib.suppress(LostAckError):  # not for us to know, or not now
                self.gone += not await self._publisher.holds(stored, _name(message))

    def _in_plain_words(self, error: BaseException) -> PublishError:
        match error:
            case NoStreamError():
                return PublishError(f"no stream takes {self._subject}; `email-consumer run` creates it")
            case TooLargeError():
                return PublishError(str(error))
            case RefusedError():
                return PublishError(f"the server refused: {error}")
            case LostAckError():
                return PublishError(f"the server did not acknowledge ({error})")
        raise error


def _name(message: EmailMessage) -> str:
    return f"{message.tag}:{message.fingerprint}"


def _windows(messages: Iterable[EmailMessage]) -> Iterator[list[EmailMessage]]:
    remaining = iter(messages)
    while window := list(islice(remaining, _WINDOW)):
        yield window
