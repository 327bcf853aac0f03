"""Messages of a stream without their payloads, through a consumer that leaves those out and is gone afterwards.

The server says how large each payload is. A page is asked for at a time: whoever wants fifty of a million gets no more.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from email_consumer.jetstream.api import PATIENCE

_SIZE = "Nats-Msg-Size"
_LONGEST_NUMBER = 18
"""Digits."""
_FORGOTTEN = 30.0
"""Seconds after which the server drops the consumer of a reader that was killed."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Head(NamedTuple):
    sequence: int
    subject: str
    stored_at: datetime
    headers: Mapping[str, str]
    size: int | None
    """Bytes of the payload; None where the headers are such that it can't be read among them."""


async def heads(client: Client, stream: str, *, subject: str, after: int, page: int) -> AsyncGenerator[Head, None]:
    """All messages behind sequence `after`, oldest first; none where there is no stream. `subject` may be a filter.

    Raises:
        nats.errors.Error, TimeoutError: JetStream did not answer.
    """
    jetstream = client.jetstream()
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        filter_subject=subject,
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=_FORGOTTEN,
    )
    try:
        consumer = await jetstream.add_consumer(stream, config)
    except NotFoundError:
        return
    inbox, messages = client.new_inbox(), asyncio.Queue[Msg]()
    subscription = await client.subscribe(inbox, cb=messages.put)
    try:
        left = consumer.num_pending or 0
        while left:
            wanted = min(page, left)
            request = orjson.dumps({"batch": wanted, "no_wait": True})
            await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer.name}", request, reply=inbox)
            for _ in range(wanted):
                async with asyncio.timeout(PATIENCE):
                    message = await messages.get()
                if not message.reply.startswith("$JS.ACK."):  # what was left has been removed meanwhile
                    return
                left = message.metadata.num_pending
                yield _head(message)
                if not left:
                    break
    finally:
        with suppress(NatsError, TimeoutError):
            await subscription.unsubscribe()
            await jetstream.delete_consumer(stream, consumer.name)


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
