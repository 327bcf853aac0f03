"""The shared state in its bucket (`<STREAM>-facts`): what every worker must know. Only the sidecar writes it.

| key | value |
|---|---|
| `cancelled.<hash of the topic>` | JSON: the topic and a `Mark`, whose stream is in the header `Email-Stream` |
| `suppressed.<shard>` | a shard of `SuppressedAddresses`; what its keys stand for: `suppression.stop_key` |
| `holds` | JSON: the keys of all active holds, and whether transactional mail is held as well |
| `receiver` | JSON: `for` how many seconds the sidecar has been receiving events from SES; rewritten regularly while it does |
| `secret` | the secret that signs open and unsubscribe links; written last, so it also means that everything else is complete; the header `Email-Older-Secrets` lists secrets that are still accepted |
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Self

import orjson

from email_consumer.core.mail_queue import Mark
from email_consumer.suppression.compact_set import SHARDS

CANCELLED = "cancelled."
SUPPRESSED = "suppressed."
HOLDS = "holds"
RECEIVER = "receiver"
SECRET = "secret"  # noqa: S105 - the key it is found under

KINDS = (CANCELLED, HOLDS, SUPPRESSED, RECEIVER, SECRET)
"""Prefixes of the keys, the most urgent first."""


STREAM_HEADER = "Email-Stream"
"""A header, since workers of the previous version reject values with names they don't know."""

OLDER_SECRETS_HEADER = "Email-Older-Secrets"
"""For a sidecar whose database was lost; workers only sign."""

_HEADERS = (STREAM_HEADER, OLDER_SECRETS_HEADER)


@dataclass(frozen=True, slots=True)
class SharedValue:
    """A value of the bucket with its headers."""

    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: bytes, headers: Mapping[str, str]) -> Self:
        """The value as stored, with those headers that we write."""
        return cls(value, {name: headers[name] for name in _HEADERS if name in headers})


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Mail of the topic that was stored up to `mark` must not be sent."""

    topic_id: str
    mark: Mark

    @property
    def key(self) -> str:
        # Topics may contain characters that are not allowed in keys.
        return CANCELLED + hashlib.sha256(self.topic_id.encode()).hexdigest()[:32]

    def encode(self) -> SharedValue:
        value = {"topic_id": self.topic_id, "sequence": self.mark.sequence, "cancelled_at": self.mark.before}
        headers = {} if self.mark.stream is None else {STREAM_HEADER: self.mark.stream}
        return SharedValue(orjson.dumps(value), headers)

    @classmethod
    def decode(cls, shared: SharedValue) -> Self:
        """Read what `encode` of this or the previous version wrote.

        Raises:
            JUNK: it is something else.
        """
        value = orjson.loads(shared.value)
        mark = Mark(shared.headers.get(STREAM_HEADER), int(value["sequence"]), float(value["cancelled_at"]))
        cancellation = cls(str(value["topic_id"]), mark)
        cancellation.topic_id.encode()
        if not isfinite(mark.before):
            raise ValueError("not a finite time")
        return cancellation


def encode_holds(keys: Mapping[str, bool]) -> SharedValue:
    """By key, whether transactional mail is held as well."""
    return SharedValue(orjson.dumps(dict(keys)))


def decode_holds(shared: SharedValue) -> dict[str, bool]:
    """Read what `encode_holds` wrote.

    Raises:
        JUNK: it is something else.
    """
    return {str(key): bool(both_lanes) for key, both_lanes in orjson.loads(shared.value).items()}


def encode_secrets(kept: tuple[str, ...]) -> SharedValue:
    """`kept`: newest first, at least one."""
    newest, *older = kept
    return SharedValue(newest.encode(), {OLDER_SECRETS_HEADER: ",".join(older)} if older else {})


def decode_secrets(shared: SharedValue) -> tuple[str, ...]:
    """Newest first, at least one.

    Raises:
        ValueError: it is something else.
    """
    if not shared.value:
        raise ValueError("an empty secret")
    return (shared.value.decode(), *filter(None, shared.headers.get(OLDER_SECRETS_HEADER, "").split(",")))


def shard_key(shard: int) -> str:
    """The key of a shard of the suppressed addresses."""
    return f"{SUPPRESSED}{shard}"


def shard_number(key: str) -> int:
    """The number of the shard with this key.

    Raises:
        ValueError: no shard has this key.
    """
    number = int(key.removeprefix(SUPPRESSED))
    if not 0 <= number < SHARDS or key != shard_key(number):
        raise ValueError("there is no such shard")
    return number
