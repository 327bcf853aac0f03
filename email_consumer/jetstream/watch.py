"""Follows a key-value bucket, and knows whether it still does.

nats-py's own watcher has no word for "I may have missed something". This one is an ordered consumer by JetStream's rules:
the server numbers what it delivers and beats while there is nothing to deliver, so a gap or a silence ends the watch. Who
follows begins again then, from everything that is stored.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

_MISSED = 3
"""Heartbeats that may fail to come."""
_PATIENCE = 2.0
"""Seconds; while the bucket's replicas elect a leader nobody answers, and asking again is the quickest way on."""
_FORGOTTEN = 60.0
"""Seconds after which the server drops the consumer of a watch that is over."""

_DELETED = {"KV-Operation", "Nats-Marker-Reason"}
"""Headers of a message that marks a deletion: by a client, by the server."""


class WatchBrokenError(Exception):
    """Changes may have been missed: begin again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A value that was stored, or a key that was deleted."""

    key: str
    value: bytes | None
    pending: int
    """How many entries the server has for us after this one."""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What it was stored with."""
    stored_at: float = field(default=0.0, compare=False)
    """Unix seconds by the server's clock."""


async def follow(client: Client, bucket: str, heartbeat: float) -> AsyncGenerator[Entry | None, None]:
    """All that is stored, in the order of storing; None, once; then every change as it comes.

    Args:
        client: connected.
        bucket: has to exist.
        heartbeat: seconds between two signs of life of the server, at least 0.1.

    Raises:
        WatchBrokenError: see there.
        nats.errors.Error: JetStream refused or did not answer.
    """
    prefix = f"$KV.{bucket}."
    inbox = client.new_inbox()
    # Not the subscription's own next_msg: under Python 3.11 a cancellation gets lost in it when a message comes with it.
    messages: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe(inbox, cb=messages.put)
    try:
        consumer = await client.jetstream(timeout=_PATIENCE).add_consumer(
            f"KV_{bucket}",
            ConsumerConfig(
                deliver_subject=inbox,
                deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
                filter_subject=f"{prefix}>",
                ack_policy=AckPolicy.NONE,
                max_deliver=1,
                idle_heartbeat=heartbeat,
                flow_control=True,
                mem_storage=True,
                num_replicas=1,
                inactive_threshold=_FORGOTTEN,
            ),
        )
        complete = not consumer.num_pending and not (consumer.delivered and consumer.delivered.consumer_seq)
        if complete:
            yield None
        read = 0
        while True:
            try:
                async with asyncio.timeout(_MISSED * heartbeat):
                    message = await messages.get()
            except TimeoutError:
                raise WatchBrokenError("the server went silent") from None
            if not message.reply.startswith("$JS.ACK."):
                await _answer(client, message, read)
                continue
            metadata = message.metadata
            read += 1
            if metadata.sequence.consumer != read:
                raise WatchBrokenError("a message got lost")
            headers = message.headers or {}
            value = None if _DELETED & headers.keys() else message.data
            stored_at = metadata.timestamp.timestamp()
            yield Entry(message.subject.removeprefix(prefix), value, metadata.num_pending, headers, stored_at)
            if not complete and not metadata.num_pending:
                complete = True
                yield None
    finally:
        if not client.is_closed:
            await subscription.unsubscribe()


async def _answer(client: Client, message: Msg, read: int) -> None:
    """Deal with a heartbeat, or with the server's question whether we keep up."""
    headers = message.headers or {}
    if headers.get("Status") != "100":
        raise WatchBrokenError(f"{headers.get('Status')} {headers.get('Description')}")
    question = message.reply or headers.get("Nats-Consumer-Stalled")
    if question:
        await client.publish(question)
    if int(headers.get("Nats-Last-Consumer", read)) != read:
        raise WatchBrokenError("a message got lost")
