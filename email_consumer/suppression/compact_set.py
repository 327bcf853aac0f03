"""Suppressed addresses in little memory: what a worker needs to know of them, and no more.

An address is kept as the first 64 bits of its SHA-256, in sorted arrays. At a million entries the chance that an address
which is not on the list is taken for one is 1 in 18,000,000,000,000. The arrays are cut into shards, so that a change is
cheap to make and, as a few KB, cheap to send to other processes.
"""

import sys
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from hashlib import sha256

import msgpack

_MOST_REASONS = 256
SHARDS = 4096
"""About 250 addresses and 2 KB each, when there are a million of them."""


@dataclass(slots=True)
class _Shard:
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    """Sorted."""
    reasons: bytearray = field(default_factory=bytearray)
    """For each key, the place of its reason in the list of reasons."""

    def find(self, key: int) -> int | None:
        place = bisect_left(self.keys, key)
        return place if place < len(self.keys) and self.keys[place] == key else None


class SuppressedAddresses:
    """Addresses (in normal form), each with the reason why it gets no mail. Of reasons there are up to 256."""

    def __init__(self) -> None:
        self._shards: list[_Shard | None] = [None] * SHARDS
        self._reasons: list[str] = []
        self._count = 0

    def add(self, address: str, reason: str) -> int | None:
        """Put it on the list, or change its reason; the shard that this changed, None if it was so already."""
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
        """Take it off the list; the shard that this changed, None if it was not on it."""
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
        """Why it gets no mail; None if it does."""
        key = _key(address)
        shard = self._shards[_shard(key)]
        place = shard.find(key) if shard else None
        return None if shard is None or place is None else self._reasons[shard.reasons[place]]

    @property
    def shards(self) -> list[int]:
        """Those that hold an address, or did."""
        return [number for number, shard in enumerate(self._shards) if shard is not None]

    def holds(self, shard: int) -> bool:
        """Whether it is one of `shards`."""
        return self._shards[shard] is not None

    def __len__(self) -> int:
        return self._count

    def dump(self, shard: int) -> bytes:
        """A shard for another process: MessagePack of [reasons, keys of 8 bytes little-endian, a byte per key]."""
        dumped = self._shards[shard] or _Shard()
        return bytes(msgpack.packb([self._reasons, _swapped(dumped.keys).tobytes(), dumped.reasons]))

    def load(self, shard: int, dumped: bytes) -> None:
        """Replace a shard by what `dump` made.

        Raises:
            ValueError: it is none.
        """
        names, keys, reasons = _parts(msgpack.unpackb(dumped))
        loaded = _swapped(array("Q", keys))
        if list(loaded) != sorted(loaded) or any(_shard(key) != shard for key in (*loaded[:1], *loaded[-1:])):
            raise ValueError("these are no addresses of that shard")
        if len({*self._reasons, *names}) > _MOST_REASONS:
            raise ValueError(f"more than {_MOST_REASONS} reasons")
        ours = bytes(self._code(name) for name in names).ljust(_MOST_REASONS)
        replaced = self._shards[shard]
        self._count += len(loaded) - (len(replaced.keys) if replaced else 0)
        self._shards[shard] = _Shard(loaded, bytearray(reasons.translate(ours)))

    def _code(self, reason: str) -> int:
        if reason not in self._reasons:
            self._reasons.append(reason)
        return self._reasons.index(reason)


def shard_of(address: str) -> int:
    """Which shard holds the address."""
    return _shard(_key(address))


def _parts(dumped: object) -> tuple[list[str], bytes, bytes]:
    match dumped:
        case [list() as names, bytes() as keys, bytes() as reasons] if (
            all(isinstance(name, str) for name in names)
            and len(keys) == len(reasons) * 8
            and max(reasons, default=-1) < len(names) <= _MOST_REASONS
        ):
            return names, keys, reasons
    raise ValueError("this is no shard")


def _key(address: str) -> int:
    return int.from_bytes(sha256(address.encode()).digest()[:8])


def _shard(key: int) -> int:
    return key * SHARDS >> 64


def _swapped(keys: "array[int]") -> "array[int]":
    """From this machine's byte order to little-endian or back."""
    if sys.byteorder == "big":
        keys = keys[:]
        keys.byteswap()
    return keys
