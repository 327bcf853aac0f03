"""What a consumer had delivered before the bucket knew of it: mail that whoever was there may have sent."""

import json
from datetime import datetime

from nats.aio.client import Client
from nats.js.errors import KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from email_consumer.jetstream_api import ask
from email_consumer.ledger.decision import Inheritance
from email_consumer.ledger.jetstream.streams import Names


async def keep_inheritance(client: Client, stream: str, consumer: str, delivered: int) -> Inheritance:
    """`delivered` by the consumer up to now counts for the first worker; the later ones read what that one kept.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    bucket = await _bucket(client, stream)
    inheritance = await _now(client, stream, delivered)
    try:
        await bucket.create(_key(consumer), _value(inheritance))
    except KeyWrongLastSequenceError:
        entry = await bucket.get(_key(consumer))
        return Inheritance(*json.loads(entry.value or b""))
    return inheritance


async def renew_inheritance(client: Client, stream: str, consumer: str, delivered: int) -> None:
    """Another ledger had the consumer meanwhile: what is `delivered` up to now counts from here on.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    bucket = await _bucket(client, stream)
    await bucket.put(_key(consumer), _value(await _now(client, stream, delivered)))


async def _now(client: Client, stream: str, delivered: int) -> Inheritance:
    """By the clock that also says when claims were stored."""
    info = await ask(client, f"STREAM.INFO.{Names(stream).bucket_stream}")
    return Inheritance(delivered, datetime.fromisoformat(info["ts"]).timestamp())


async def _bucket(client: Client, stream: str) -> KeyValue:
    return await client.jetstream().key_value(Names(stream).bucket)


def _key(consumer: str) -> str:
    return f"inheritance.{consumer}"  # no mail's tag has a dot


def _value(inheritance: Inheritance) -> bytes:
    return json.dumps([inheritance.sequence, inheritance.since]).encode()
