"""The messages of a stream in their order, read through a consumer that is gone afterwards. Nothing is consumed.

One page is requested at a time: a caller that wants fifty of a million gets no more. nats-py's own ordered consumer takes a stored
message with the headers of a heartbeat for a heartbeat.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from itertools import count

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

_PATIENCE = 10.0
_FORGOTTEN = 30.0
"""Seconds after which the server drops the consumer of a reader that was killed."""
_PAGE_BYTES = 16 * 1024 * 1024
"""Unless a single message is larger."""


async def read_stream(
    client: Client, stream: str, *, subject: str, after: int = 0, page: int = 500, headers_only: bool = False
) -> AsyncGenerator[Msg, None]:
    """Everything now stored after sequence `after`. `subject` may be a filter.

    With `headers_only` messages come without payloads; the header `Nats-Msg-Size` says how large each is.

    Raises:
        nats.js.errors.NotFoundError: there is no such stream.
        nats.errors.Error, TimeoutError: JetStream did not answer.
    """
    jetstream = client.jetstream()
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        filter_subject=subject,
        ack_policy=AckPolicy.NONE,
        headers_only=headers_only,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=_FORGOTTEN,
    )
    consumer = await jetstream.add_consumer(stream, config)
    next_page = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer.name}"
    inbox, messages = client.new_inbox(), asyncio.Queue[Msg]()
    subscription = await client.subscribe(f"{inbox}.*", cb=messages.put, pending_bytes_limit=-1)
    try:
        left = consumer.num_pending or 0
        for number in count(1):
            wanted, got = min(page, left), 0
            request = {"batch": wanted, "no_wait": True, "max_bytes": max(_PAGE_BYTES, 2 * client.max_payload)}
            reply = f"{inbox}.{number}"
            if wanted:
                await client.publish(next_page, orjson.dumps(request), reply=reply)
            while got < wanted:
                async with asyncio.timeout(_PATIENCE):
                    message = await messages.get()
                if message.reply.startswith("$JS.ACK."):
                    got, left = got + 1, message.metadata.num_pending
                    yield message
                elif message.subject == reply:  # no more fit; a page before may say as much, late
                    break
            if not got or not left:  # if none came, what was left has been removed meanwhile
                return
    finally:
        with suppress(NatsError, TimeoutError):
            await subscription.unsubscribe()
            await jetstream.delete_consumer(stream, consumer.name)
