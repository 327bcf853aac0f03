"""Complete new states of mails in MessagePack: workers concatenate them into batches, the sidecar reads them."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgpack
from pydantic import BaseModel, Field, StringConstraints

from email_consumer.core.foreign_records import JUNK
from email_consumer.core.ledger import Origin
from email_consumer.core.traceparent import WELL_FORMED
from email_consumer.ledgers.jetstream.record import BucketEntry
from email_consumer.ledgers.jetstream.values import STRICT, Count, Hash, Moment, Text
from email_consumer.message.model import EmailMessage
from email_consumer.store.contents import row_subject

_MOST_ITEMS = 1_000
"""Maximum items of a batch, map or array, so that a megabyte of junk is not read to its end."""

_Status = Annotated[int, Field(ge=0, le=4)]
_Uuid = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]
"""Names with a NUL are reserved for retired rows."""


MailState = dict[str, Any]
"""The fields of `_MailState`, in the form in which statements take them."""


class _MailState(BaseModel):
    """Times in Unix seconds. Fields with a default may be missing in states from earlier versions."""

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
    lane: Text | None = None
    tenant: Text | None = None
    subject: Text | None = None
    traceparent: Annotated[str, StringConstraints(pattern=WELL_FORMED)] | None = None
    now: Moment


def encode_state(
    message: EmailMessage,
    origin: Origin,
    found: BucketEntry,
    now: float,
    *,
    keep_subject: bool,
    conflict: str | None = None,
) -> bytes:
    """Encode a mail's complete new state, from which a row can be created, as a MessagePack map. Times in Unix seconds.

    With `conflict`, `found` belongs to another mail with the same uuid, and `conflict` says why `message` is not sent.
    """
    record = found.record
    assert record is not None  # noqa: S101 - there is something to tell
    state: dict[str, object] = {
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
        "lane": message.lane_name,
        "tenant": message.tenant,
        "subject": row_subject(message, keep=keep_subject),
        "now": now,
    }
    if origin.traceparent:
        state["traceparent"] = origin.traceparent
    packed: bytes = msgpack.packb(state)
    return packed


def read_states(payload: bytes) -> Iterator[MailState | Exception]:
    """Read the states of a batch; an exception stands for an invalid one. Nothing after bytes that are not MessagePack is read."""
    unpacker = msgpack.Unpacker(
        unicode_errors="surrogateescape",  # rejected below, without affecting the others
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
                yield ValueError(f"more than {_MOST_ITEMS:,} values: more than workers write at a time")
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
