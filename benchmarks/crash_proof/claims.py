"""What the ledger's bucket holds of one worker's claims, read as an operator would: plain nats-py."""

import json
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

_BUCKET = "KV_messages-claims"
_KEYS = "$KV.messages-claims.*"
_CLAIMED = 1
"""The status of a mail that is claimed, and not sent as far as is known."""
_AS_FAR_BACK = 60
"""Seconds; nobody holds a claim for longer."""
_AT_ONCE = 1000


async def unfinished_claims(client: Client, worker: str) -> int:
    """How many mails it has claimed without publishing an outcome."""
    while True:
        try:
            return await _count(client.jetstream(), worker)
        except (NatsError, TimeoutError):  # a leader is being elected
            continue


async def _count(jetstream: JetStreamContext, worker: str) -> int:
    since = datetime.now(UTC) - timedelta(seconds=_AS_FAR_BACK)
    consumer = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=since,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=5,
    )
    subscription = await jetstream.pull_subscribe(_KEYS, stream=_BUCKET, config=consumer)
    count = 0
    left = (await subscription.consumer_info()).num_pending or 0
    while left > 0:
        messages = await subscription.fetch(min(left, _AT_ONCE))
        left -= len(messages)
        for message in messages:
            record = json.loads(message.data or b"{}")
            count += record.get("status") == _CLAIMED and record.get("claim", "").startswith(f"{worker}-")
    await subscription.unsubscribe()
    return count
