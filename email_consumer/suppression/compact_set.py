"""A memory-efficient set of suppressed addresses for the workers.

An address is stored as the first 64 bits of its SHA-256, in sorted arrays. With a million entries the probability of a false
positive is 1 in 18,000,000,000,000. The arrays are split into shards of a few KB, so that changes are cheap to make and to
send to other processes.
"""

import sys
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from hashlib import sha256

import msgpack

_MAX_REASONS = 256
SHARDS = 4096
"""About 250 addresses and 2 KB each with a million addresses."""


@dataclass(slots=True)
class _Shard:
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    """Sorted."""
    reasons: bytearray = field(default_factory=bytearray)
    """For each key, the index of its reason in the list of reasons."""

    def find(self, key: int) -> int | None:
        place = bisect_left(self.keys, key)
        return place if place < len(self.keys) and self.keys[place] == key else None


class SuppressedAddresses:
    """Addresses (in normal form) with the reason of their suppression; up to 256 distinct reasons.

    To the set it makes no difference what the texts mean: an address and a group together are one more text, see
    `suppression.stop_key`.
    """

    def __init__(self) -> None:
        self._shards: list[_Shard | None] = [None] * SHARDS
        self._reasons: list[str] = []
        self._count = 0

    def add(self, address: str, reason: str) -> int | None:
        """Add it, or change its reason; the changed shard, None without a change."""
        key, code = _key(address), self._code(reason)
        number = _shard(key)
        shard = self._shards[number]
        if shard is None:
            shard = self._shards[number] = _Shard()
        place = shard.find(key)
        if place is None:
            place = bisect_left(shard.keys, key)
            shard.keys.insert(place, key)
            shard.reasons.insert(place, code)
            self._count += 1
        elif shard.reasons[place] == code:
            return None
        else:
            shard.reasons[place] = code
        return number

    def discard(self, address: str) -> int | None:
        """Remove it; the changed shard, None if it was not in the set."""
        key = _key(address)
        number = _shard(key)
        shard = self._shards[number]
        place = shard.find(key) if shard else None
        if shard is None or place is None:
            return None
        del shard.keys[place], shard.reasons[place]
        self._count -= 1
        return number

    def reason(self, address: str) -> str | None:
        """The reason of its suppression; None if it is not suppressed."""
        key = _key(address)
        shard = self._shards[_shard(key)]
        place = shard.find(key) if shard else None
        return None if shard is None or place is None else self._reasons[shard.reasons[place]]

    @property
    def shards(self) -> list[int]:
        """Shards that contain an address, or did."""
        return [number for number, shard in enumerate(self._shards) if shard is not None]

    def holds(self, shard: int) -> bool:
        """Whether it is one of `shards`."""
        return self._shards[shard] is not None

    def __len__(self) -> int:
        return self._count

    def dump(self, shard: int) -> bytes:
        """Serialize a shard: MessagePack of [reasons, keys of 8 bytes little-endian, a byte per key]."""
        dumped = self._shards[shard] or _Shard()
        return bytes(msgpack.packb([self._reasons, _swapped(dumped.keys).tobytes(), dumped.reasons]))

    def load(self, shard: int, dumped: bytes) -> None:
        """Replace a shard by a serialized one.

        Raises:
            ValueError: it is invalid.
        """
        names, keys, reasons = _parts(msgpack.unpackb(dumped))
        loaded = _swapped(array("Q", keys))
        if list(loaded) != sorted(loaded) or any(_shard(key) != shard for key in (*loaded[:1], *loaded[-1:])):
            raise ValueError("the keys do not belong to this shard")
        if len({*self._reasons, *names}) > _MAX_REASONS:
            raise ValueError(f"more than {_MAX_REASONS} reasons")
        ours = bytes(self._code(name) for name in names).ljust(_MAX_REASONS)
        replaced = self._shards[shard]
        self._count += len(loaded) - (len(replaced.keys) if replaced else 0)
        self._shards[shard] = _Shard(loaded, bytearray(reasons.translate(ours)))

    def _code(self, reason: str) -> int:
        if reason not in self._reasons:
            self._reasons.append(reason)
        return self._reasons.index(reason)


def _parts(dumped: object) -> tuple[list[str], bytes, bytes]:
    match dumped:
        case [list() as names, bytes() as keys, bytes() as reasons] if (
            all(isinstance(name, str) for name in names)
            and len(keys) == len(reasons) * 8
            and max(reasons, default=-1) < len(names) <= _MAX_REASONS
        ):
            return names, keys, reasons
    raise ValueError("not a serialized shard")


def _key(address: str) -> int:
    return int.from_bytes(sha256(address.encode()).digest()[:8])


def _shard(key: int) -> int:
    return key * SHARDS >> 64


def _swapped(keys: "array[int]") -> "array[int]":
    """Convert between this machine's byte order and little-endian."""
    if sys.byteorder == "big":
        keys = keys[:]
        keys.byteswap()
    return keys
