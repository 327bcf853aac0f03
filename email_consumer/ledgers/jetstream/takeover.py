"""The takeover record: what a consumer had delivered before this ledger used it, which the previous ledger may have sent.

JSON: the last sequence number of the bulk lane, and the time of the takeover in Unix seconds by NATS's clock. Headers name
the stream and the last sequence number of the transactional lane, since workers of the previous version reject values with
further fields.
"""

from datetime import datetime

import orjson
from nats.aio.client import Client
from nats.js.api import Header, RawStreamMsg
from nats.js.errors import BadRequestError, NotFoundError
from pydantic import TypeAdapter

from email_consumer.core.foreign_records import JUNK
from email_consumer.core.mail_queue import Delivered
from email_consumer.jetstream.api import ask
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.jetstream.values import Count, Moment
from email_consumer.ledgers.rule import Takeover

_STREAM = "Email-Stream"
_TRANSACTIONAL = "Email-Transactional-Sequence"
_VALUE = TypeAdapter(tuple[Count, Moment])


async def keep_takeover(client: Client, stream: str, consumer: str, delivered: Delivered) -> Takeover:
    """Record what the consumer has `delivered`, unless an earlier worker has already done so; returns the valid record.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    revision = 0
    while True:
        takeover = await _now(client, stream, delivered)
        try:
            await _write(client, stream, consumer, takeover, revision)
        except BadRequestError:  # it exists already
            raw = await _read(client, stream, consumer)
            revision = (raw.seq if raw else 0) or 0
            if raw and (kept := _decoded(raw)):
                return kept
        else:
            return takeover


async def read_takeover(client: Client, stream: str, consumer: str) -> Takeover:
    """Read the takeover; an empty one if none is recorded.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    raw = await _read(client, stream, consumer)
    return (raw and _decoded(raw)) or Takeover(0, 0.0)


async def renew_takeover(client: Client, stream: str, consumer: str, delivered: Delivered) -> None:
    """Replace the record after another ledger used the consumer: everything `delivered` by now counts.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    await _write(client, stream, consumer, await _now(client, stream, delivered), None)


async def _now(client: Client, stream: str, delivered: Delivered) -> Takeover:
    """By the same clock that timestamps claims."""
    info = await ask(client, f"STREAM.INFO.{Names(stream).bucket_stream}")
    since = datetime.fromisoformat(info["ts"]).timestamp()
    return Takeover(delivered.bulk, since, delivered.stream, delivered.transactional)


async def _read(client: Client, stream: str, consumer: str) -> RawStreamMsg | None:
    names = Names(stream)
    try:
        return await client.jetstream().get_msg(names.bucket_stream, subject=names.key(_key(consumer)))
    except NotFoundError:
        return None


async def _write(client: Client, stream: str, consumer: str, takeover: Takeover, revision: int | None) -> None:
    """Replace the record of this `revision` (0: none), or any with None; also in a bucket that accepts no claims yet."""
    subject = await ClaimsStream(client, stream).subject(_key(consumer))
    headers = {_STREAM: takeover.stream, _TRANSACTIONAL: str(takeover.transactional)}
    if revision is not None:
        headers[Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value] = str(revision)
    value = orjson.dumps([takeover.sequence, takeover.since])
    await client.jetstream().publish(subject, value, headers=headers)


def _decoded(raw: RawStreamMsg) -> Takeover | None:
    """The takeover; None if it was deleted or is not ours."""
    headers = raw.headers or {}
    try:
        sequence, since = _VALUE.validate_json(raw.data or b"")
        transactional = int(headers.get(_TRANSACTIONAL, "0"))
    except JUNK:
        return None
    return Takeover(sequence, since, str(headers.get(_STREAM, "")), transactional)


def _key(consumer: str) -> str:
    return f"inheritance.{consumer}"  # tags of mails contain no dot
