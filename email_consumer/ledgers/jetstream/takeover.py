"""What a consumer had delivered before the bucket knew of it: mail that whoever was there may have sent.

JSON: the last sequence, and since when, in Unix seconds by NATS's clock. A header names the stream that the sequence counts
in: workers of the version before refuse a value with more in it.
"""

from datetime import datetime

import orjson
from nats.aio.client import Client
from nats.js.api import Header, RawStreamMsg
from nats.js.errors import BadRequestError, NotFoundError
from pydantic import TypeAdapter

from email_consumer.core.foreign_records import JUNK
from email_consumer.jetstream.api import ask
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.streams import Names
from email_consumer.ledgers.jetstream.values import Count, Moment
from email_consumer.ledgers.rule import Takeover

_STREAM = "Email-Stream"
_VALUE = TypeAdapter(tuple[Count, Moment])


async def keep_takeover(client: Client, stream: str, consumer: str, delivered: tuple[int, str]) -> Takeover:
    """What was `delivered` by the consumer up to now counts for the first worker; later ones read what that one kept.

    `delivered`: the last sequence, and which stream of its name that is.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    revision = 0
    while True:
        takeover = await _now(client, stream, delivered)
        try:
            await _write(client, stream, consumer, takeover, revision)
        except BadRequestError:  # it is there already
            raw = await _read(client, stream, consumer)
            revision = (raw.seq if raw else 0) or 0
            if raw and (kept := _decoded(raw)):
                return kept
        else:
            return takeover


async def read_takeover(client: Client, stream: str, consumer: str) -> Takeover:
    """As it is noted; nothing where nothing is.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    raw = await _read(client, stream, consumer)
    return (raw and _decoded(raw)) or Takeover(0, 0.0)


async def renew_takeover(client: Client, stream: str, consumer: str, delivered: tuple[int, str]) -> None:
    """Another ledger had the consumer meanwhile: what is `delivered` up to now counts from here on.

    Raises:
        nats.errors.Error: JetStream did not answer; try again.
    """
    await _write(client, stream, consumer, await _now(client, stream, delivered), None)


async def _now(client: Client, stream: str, delivered: tuple[int, str]) -> Takeover:
    """By the clock that also says when claims were stored."""
    info = await ask(client, f"STREAM.INFO.{Names(stream).bucket_stream}")
    sequence, identity = delivered
    return Takeover(sequence, datetime.fromisoformat(info["ts"]).timestamp(), identity)


async def _read(client: Client, stream: str, consumer: str) -> RawStreamMsg | None:
    names = Names(stream)
    try:
        return await client.jetstream().get_msg(names.bucket_stream, subject=names.key(_key(consumer)))
    except NotFoundError:
        return None


async def _write(client: Client, stream: str, consumer: str, takeover: Takeover, revision: int | None) -> None:
    """In place of the one of `revision` (0: none), or of whatever is there; also into a bucket that takes no claims yet."""
    subject = await ClaimsStream(client, stream).subject(_key(consumer))
    headers = {_STREAM: takeover.stream}
    if revision is not None:
        headers[Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value] = str(revision)
    value = orjson.dumps([takeover.sequence, takeover.since])
    await client.jetstream().publish(subject, value, headers=headers)


def _decoded(raw: RawStreamMsg) -> Takeover | None:
    """None where it was deleted, or is a stranger's."""
    try:
        sequence, since = _VALUE.validate_json(raw.data or b"")
    except JUNK:
        return None
    return Takeover(sequence, since, str((raw.headers or {}).get(_STREAM, "")))


def _key(consumer: str) -> str:
    return f"inheritance.{consumer}"  # no mail's tag has a dot
