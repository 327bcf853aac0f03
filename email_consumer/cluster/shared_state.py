"""The shared state: what every worker must know, as stored in the bucket `<STREAM>-facts`. Only the sidecar writes it.

| key | value |
|---|---|
| `cancelled.<hash of the topic>` | JSON: topic, and a `Mark` but for its stream, which the header `Email-Stream` names |
| `suppressed.<shard>` | a shard of `SuppressedAddresses` |
| `receiver` | JSON: `for` how many seconds SES's events have reached the sidecar; written again and again while they do |
| `secret` | what open and unsubscribe links are signed with; written last, so that it says "all the rest is here"; the header `Email-Older-Secrets` has those that are still accepted |
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Self

from email_consumer.core.mail_queue import Mark
from email_consumer.suppression.compact_set import SHARDS

CANCELLED = "cancelled."
SUPPRESSED = "suppressed."
RECEIVER = "receiver"
SECRET = "secret"  # noqa: S105 - the key it is found under

KINDS = (CANCELLED, SUPPRESSED, RECEIVER, SECRET)
"""What keys begin with, the most urgent first."""


STREAM_HEADER = "Email-Stream"
"""Stored separately, not in the value: workers of the previous version refuse a value with an unknown name."""

OLDER_SECRETS_HEADER = "Email-Older-Secrets"
"""Workers only sign; it is for a sidecar whose file was lost."""

_HEADERS = (STREAM_HEADER, OLDER_SECRETS_HEADER)


@dataclass(frozen=True, slots=True)
class SharedValue:
    """A value, and the headers that it is stored with."""

    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: bytes, headers: Mapping[str, str]) -> Self:
        """As it was stored; of the headers those that we write."""
        return cls(value, {name: headers[name] for name in _HEADERS if name in headers})


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Mail of the topic that was stored up to then is not sent."""

    topic_id: str
    mark: Mark

    @property
    def key(self) -> str:
        # Keys may hold few characters, topics any.
        return CANCELLED + hashlib.sha256(self.topic_id.encode()).hexdigest()[:32]

    def encode(self) -> SharedValue:
        value = {"topic_id": self.topic_id, "sequence": self.mark.sequence, "cancelled_at": self.mark.before}
        headers = {} if self.mark.stream is None else {STREAM_HEADER: self.mark.stream}
        return SharedValue(json.dumps(value).encode(), headers)

    @classmethod
    def decode(cls, fact: SharedValue) -> Self:
        """What `encode` wrote, or the version before.

        Raises:
            JUNK: it is something else.
        """
        value = json.loads(fact.value)
        mark = Mark(fact.headers.get(STREAM_HEADER), int(value["sequence"]), float(value["cancelled_at"]))
        cancellation = cls(str(value["topic_id"]), mark)
        cancellation.topic_id.encode()
        if not isfinite(mark.before):
            raise ValueError("not a valid time")
        return cancellation


def encode_secrets(kept: tuple[str, ...]) -> SharedValue:
    """`kept`: newest first, at least one."""
    newest, *older = kept
    return SharedValue(newest.encode(), {OLDER_SECRETS_HEADER: ",".join(older)} if older else {})


def decode_secrets(fact: SharedValue) -> tuple[str, ...]:
    """Newest first, at least one.

    Raises:
        ValueError: it is something else.
    """
    if not fact.value:
        raise ValueError("an empty secret")
    return (fact.value.decode(), *filter(None, fact.headers.get(OLDER_SECRETS_HEADER, "").split(",")))


def shard_key(shard: int) -> str:
    """The key of a shard of the suppressed addresses."""
    return f"{SUPPRESSED}{shard}"


def shard_number(key: str) -> int:
    """The shard that lies under the key.

    Raises:
        ValueError: no secret has that number.
    """
    number = int(key.removeprefix(SUPPRESSED))
    if not 0 <= number < SHARDS or key != shard_key(number):
        raise ValueError("there is no such shard")
    return number
