"""What a consumer had delivered before the bucket knew of it: mail that whoever was there may have sent."""

import json
import time

from nats.aio.client import Client
from nats.js.errors import KeyWrongLastSequenceError

from email_consumer.ledger.decision import Inheritance
from email_consumer.ledger.jetstream.streams import Names


async def keep_inheritance(client: Client, stream: str, consumer: str, delivered: int) -> Inheritance:
    """`delivered` by the consumer up to now counts for the first worker; the later ones read what that one kept.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    bucket = await client.jetstream().key_value(Names(stream).bucket)
    key = f"inheritance.{consumer}"  # no mail's tag has a dot
    inheritance = Inheritance(delivered, time.time())
    try:
        await bucket.create(key, json.dumps([inheritance.sequence, inheritance.since]).encode())
    except KeyWrongLastSequenceError:
        entry = await bucket.get(key)
        return Inheritance(*json.loads(entry.value or b""))
    return inheritance
