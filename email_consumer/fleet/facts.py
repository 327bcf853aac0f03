"""What every worker must know, as it lies in the facts bucket. The sidecar alone writes it.

| key | value |
|---|---|
| `cancelled.<hash of the topic>` | JSON: topic, stream sequence, Unix seconds; see `Cancellation` |
| `suppressed.<shard>` | a shard of `SuppressedAddresses` |
| `receiver` | JSON: since when SES's events reach the sidecar, in Unix seconds; written again and again while they do |
| `secret` | what open and unsubscribe links are signed with; written last, so that it says "all the rest is here" |
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Self

CANCELLED = "cancelled."
SUPPRESSED = "suppressed."
RECEIVER = "receiver"
SECRET = "secret"  # noqa: S105 - the key it is found under

KINDS = (CANCELLED, SUPPRESSED, RECEIVER, SECRET)
"""What keys begin with, the most urgent first."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Mail of the topic that was stored up to then is not sent."""

    topic_id: str
    sequence: int
    """The stream's last sequence at that moment."""
    cancelled_at: float
    """Unix seconds."""

    @property
    def key(self) -> str:
        # Keys may hold few characters, topics any.
        return CANCELLED + hashlib.sha256(self.topic_id.encode()).hexdigest()[:32]

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, value: bytes) -> Self:
        return cls(**json.loads(value))


def shard_key(shard: int) -> str:
    """The key of a shard of the suppressed addresses."""
    return f"{SUPPRESSED}{shard}"


def shard_number(key: str) -> int:
    """The shard that lies under the key."""
    return int(key.removeprefix(SUPPRESSED))
