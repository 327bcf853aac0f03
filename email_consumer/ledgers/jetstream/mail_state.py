"""Mails' new states, complete, in MessagePack: as a worker writes them one after the other, and as the sidecar reads them."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgpack
from pydantic import BaseModel, Field, StringConstraints

from email_consumer.core.foreign_records import JUNK
from email_consumer.core.ledger import Origin
from email_consumer.ledgers.jetstream.record import BucketEntry
from email_consumer.ledgers.jetstream.values import STRICT, Count, Hash, Moment, Text
from email_consumer.message.model import EmailMessage

_MOST_ITEMS = 1_000
"""Of a batch, a map or an array: the rest of a megabyte of junk is not looked at."""

_Status = Annotated[int, Field(ge=0, le=4)]
_Uuid = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]
"""With a NUL it would be the name of a former life."""


MailState = dict[str, Any]
"""What `_MailState` has, as statements take it."""


class _MailState(BaseModel):
    """Times in Unix seconds. What may be absent, a worker of an earlier version doesn't tell."""

    model_config = STRICT

    uuid: _Uuid
    tag: Text | None
    topic_id: Text | None
    email: Text
    expires_at: Moment | None
    source: Text
    replay_of: Text | None
    status: _Status
    attempts: Count
    in_doubt: bool
    claimed_at: Moment | None
    finished_at: Moment | None
    message_id: Text | None
    error: Text | None
    remark: Text | None
    left_out: list[Annotated[list[Text], Field(min_length=2, max_length=2)]] = []
    revision: Count
    life: Count
    recipients_hash: Hash | None = None
    content_hash: Hash | None = None
    conflict: Text | None = None
    now: Moment


def encode_state(
    message: EmailMessage, origin: Origin, found: BucketEntry, now: float, *, conflict: str | None = None
) -> bytes:
    """One mail's new state, complete: a row can be made of it. MessagePack map; times in Unix seconds.

    With `conflict`, `found` is another mail's, of the same uuid, and this tells why `message` is not sent.
    """
    record = found.record
    assert record is not None  # noqa: S101 - there is something to tell
    packed: bytes = msgpack.packb(
        {
            "uuid": message.uuid,
            "tag": None if message.tag == message.uuid else message.tag,
            "topic_id": message.topic_id,
            "email": message.email,
            "expires_at": message.expires_at.timestamp() if message.expires_at else None,
            "source": origin.source,
            "replay_of": record.replay_of,
            "status": int(record.status),
            "attempts": record.attempts,
            "in_doubt": record.in_doubt,
            "claimed_at": record.claimed_at or None,
            "finished_at": record.finished_at or None,
            "message_id": record.message_id,
            "error": record.error,
            "remark": record.remark,
            "left_out": [[copy.address, copy.reason] for copy in record.left_out],
            "revision": found.revision,
            "life": found.life,
            "recipients_hash": message.fingerprint.recipients if conflict else record.recipients,
            "content_hash": record.content,
            "conflict": conflict,
            "now": now,
        }
    )
    return packed


def read_states(payload: bytes) -> Iterator[MailState | Exception]:
    """Each of a batch, or why it is none. What follows bytes that aren't MessagePack can't be told apart any more."""
    unpacker = msgpack.Unpacker(
        unicode_errors="surrogateescape",  # refused below, without the others
        strict_map_key=False,
        timestamp=0,
        max_array_len=_MOST_ITEMS,
        max_map_len=_MOST_ITEMS,
        max_buffer_size=len(payload),
    )
    unpacker.feed(payload)
    end = 0
    try:
        for number, found in enumerate(unpacker):
            if number == _MOST_ITEMS:
                yield ValueError(f"more than {_MOST_ITEMS:,} values: no worker writes so many at a time")
                return
            end = unpacker.tell()
            yield _read(found)
    except JUNK as error:
        yield error
    else:
        if end < len(payload):
            yield ValueError(f"its last {len(payload) - end} bytes are not whole")


def _read(found: object) -> MailState | Exception:
    try:
        return vars(_MailState.model_validate(found))
    except JUNK as error:
        return error
