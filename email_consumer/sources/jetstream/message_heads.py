"""What a stream's messages are without their payloads, of which the server says only how large they are."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from email_consumer.jetstream.stream_reader import read_stream

_SIZE = "Nats-Msg-Size"
_LONGEST_NUMBER = 18
"""Digits."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Head(NamedTuple):
    sequence: int
    subject: str
    stored_at: datetime
    headers: Mapping[str, str]
    size: int | None
    """Bytes of the payload; None where the headers are such that it can't be read among them."""


async def heads(client: Client, stream: str, *, subject: str, after: int, page: int) -> AsyncGenerator[Head, None]:
    """As `read_stream` does; none where there is no stream."""
    found = read_stream(client, stream, subject=subject, after=after, page=page, headers_only=True)
    try:
        async with aclosing(found) as messages:
            async for message in messages:
                yield _head(message)
    except NotFoundError:
        return


def _head(message: Msg) -> Head:
    headers = dict(message.headers or {})
    size = headers.pop(_SIZE, "")
    return Head(
        message.metadata.sequence.stream,
        message.subject,
        _EPOCH + timedelta(microseconds=int(message.reply.split(".")[-2]) // 1000),
        headers,
        int(size) if size.isascii() and size.isdigit() and len(size) <= _LONGEST_NUMBER else None,
    )
