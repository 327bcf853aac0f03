"""The compact list of suppressed addresses against what a plain dict would say."""

from array import array
from random import Random

import msgpack
import pytest

from email_consumer.message.address import normal_form
from email_consumer.suppression.compact_set import SHARDS, SuppressedAddresses


def shard_of(address: str) -> int:
    shard = SuppressedAddresses().add(address, "manual")
    assert shard is not None
    return shard


def test_it_knows_what_a_dict_knows_after_any_changes() -> None:
    random = Random(7)
    compact, plain = SuppressedAddresses(), dict[str, str]()
    for _ in range(20_000):
        address = f"user{random.randrange(3_000)}@example.com"
        if random.random() < 0.6:
            reason = random.choice(["complaint", "hard bounce", "manual"])
            changed = plain.get(address) != reason
            assert compact.add(address, reason) == (shard_of(address) if changed else None)
            plain[address] = reason
        else:
            changed = plain.pop(address, None) is not None
            assert compact.discard(address) == (shard_of(address) if changed else None)
    assert len(compact) == len(plain)
    for number in range(4_000):
        address = f"user{number}@example.com"
        assert compact.reason(address) == plain.get(address)


def test_a_shard_of_the_version_before_is_understood() -> None:
    addresses = SuppressedAddresses()
    address = normal_form("Anna <Anna@Bücher.example>")
    assert shard_of(address) == 2866
    addresses.load(2866, bytes.fromhex("9391ab6861726420626f756e6365c408beef4a12d24a2eb3c40100"))
    assert addresses.reason(address) == "hard bounce"


def test_a_shard_travels_and_replaces_what_was_there() -> None:
    here, there = SuppressedAddresses(), SuppressedAddresses()
    here.add("a@example.com", "complaint")
    shard = shard_of("a@example.com")
    there.load(shard, here.dump(shard))
    assert there.reason("a@example.com") == "complaint"
    here.discard("a@example.com")
    there.load(shard, here.dump(shard))
    assert there.reason("a@example.com") is None
    assert len(there) == 0


def test_reasons_may_be_numbered_differently_elsewhere() -> None:
    here, there = SuppressedAddresses(), SuppressedAddresses()
    here.add("a@example.com", "complaint")
    there.add("b@example.com", "manual")
    there.load(shard_of("a@example.com"), here.dump(shard_of("a@example.com")))
    assert (there.reason("a@example.com"), there.reason("b@example.com")) == ("complaint", "manual")


def test_what_travels_is_the_same_on_every_machine() -> None:
    compact = SuppressedAddresses()
    compact.add("a@example.com", "complaint")
    # The first eight bytes of the SHA-256 of a@example.com, as a number, in little-endian order.
    assert msgpack.unpackb(compact.dump(shard_of("a@example.com"))) == [
        ["complaint"],
        bytes.fromhex("4a53fd0dd88c1608"),
        b"\0",
    ]


def test_addresses_spread_over_all_shards() -> None:
    sizes = array("L", [0] * SHARDS)
    for number in range(20 * SHARDS):
        sizes[shard_of(f"user{number}@example.com")] += 1
    assert min(sizes) > 0
    assert max(sizes) < 60


@pytest.mark.parametrize("dumped", [b"\xc1", b"\x90", msgpack.packb([["manual"], b"abc", b"\0"])])
def test_what_is_no_shard_is_refused(dumped: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each library words it in its own way
        SuppressedAddresses().load(0, dumped)
