"""Many messages to JetStream, a window of them at a time, each one acknowledged as stored."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import Header, PubAck
from nats.js.errors import NoStreamResponseError

from email_consumer.message import EmailMessage, encode

_WINDOW = 500
_PATIENCE = 30.0
"""Seconds for the acknowledgements of one window."""
_HEADER_BYTES = len(f"NATS/1.0\r\n{Header.MSG_ID.value}: \r\n\r\n")


class PublishError(Exception):
    """Not everything was stored; the text says why."""


class BulkPublisher:
    """Publishes to `subject`; the counts tell how far it got.

    Attributes:
        stored: messages that the stream acknowledged.
        duplicates: how many of them it held already.
        stream: its name; empty before the first acknowledgement.
    """

    def __init__(self, client: Client, subject: str) -> None:
        self._client = client
        self._stream = client.jetstream(publish_async_max_pending=_WINDOW)
        self._subject = subject
        self.stored = 0
        self.duplicates = 0
        self.stream = ""

    async def publish(self, messages: Iterable[EmailMessage]) -> None:
        """Publish in order. A message is named by its uuid: within the stream's duplicate window it is stored once.

        Raises:
            PublishError: in plain words; of the window it stopped in, some messages may be stored uncounted.
        """
        for window in _windows(messages):
            try:
                async with asyncio.timeout(_PATIENCE):
                    sent = [await self._send(message) for message in window]
                    acknowledgements = await asyncio.gather(*sent)
            except NoStreamResponseError:
                raise PublishError(f"no stream takes {self._subject}; `email-consumer run` creates it") from None
            except TimeoutError:
                raise PublishError(f"the server did not acknowledge within {_PATIENCE:g} s") from None
            except NatsError as error:
                raise PublishError(f"the server refused: {error}") from None
            self.stored += len(acknowledgements)
            self.duplicates += sum(bool(acknowledgement.duplicate) for acknowledgement in acknowledgements)
            self.stream = acknowledgements[-1].stream

    async def _send(self, message: EmailMessage) -> asyncio.Future[PubAck]:
        payload = encode(message)
        size = len(payload) + _HEADER_BYTES + len(message.tag)
        # Past its limit the server would not refuse the message: it closes the connection.
        if size > self._client.max_payload:
            raise PublishError(
                f"a message of {size:,} bytes; the server takes {self._client.max_payload:,} (max_payload)"
            )
        return await self._stream.publish_async(self._subject, payload, headers={Header.MSG_ID.value: message.tag})


def _windows(messages: Iterable[EmailMessage]) -> Iterator[list[EmailMessage]]:
    remaining = iter(messages)
    while window := list(islice(remaining, _WINDOW)):
        yield window
