"""Payloads that hold, or claim, far more values than a mail can have: refused before one of them is made."""

import json
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_consumer.message.element_count import json_exceeds, packed_exceeds
from email_consumer.message.model import UndecodableError, decode
from email_consumer.message.problems import MAX_LENGTH, MAX_PROBLEMS
from tests.bombs import BOMBS, MEGABYTE
from tests.unit.message.forms import FORMS, read

PEAK = 16 * MEGABYTE
"""Bytes that reading a megabyte may need at the most; what is measured is deterministic."""


@pytest.mark.parametrize("name", BOMBS)
def test_a_megabyte_is_refused_with_little_memory_and_a_short_reason(name: str) -> None:
    bomb = BOMBS[name]()
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableError) as caught:
            decode(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PEAK
    assert len(str(caught.value)) <= MAX_PROBLEMS * (MAX_LENGTH + 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("cc", [7] * 51, 50),
        ("bcc", ["a@example.com"] * 9_000, 50),
        ("reply_to", [{}] * 51, 50),
        ("headers", {f"x y {n}": "" for n in range(4_000)}, 14),
        ("tags", {f"x y {n}": 7 for n in range(4_000)}, 48),
        ("attachments", [7] * 501, 500),
    ],
)
def test_a_count_is_bounded_before_any_entry_is_looked_at(field: str, value: Any, limit: int, form: str) -> None:
    with pytest.raises(UndecodableError, match=rf"^{field}: has {len(value):,} entries; at most {limit} are taken$"):
        read(form, **{field: value})


@pytest.mark.parametrize("form", FORMS)
def test_a_list_is_left_at_its_first_wrong_entry(form: str) -> None:
    for field, value in (("cc", ["x"] * 49), ("attachments", [{"filename": ""}] * 500)):
        with pytest.raises(UndecodableError) as caught:
            read(form, **{field: value})
        assert f"{field}.0" in str(caught.value)
        assert f"{field}.1" not in str(caught.value)


def test_problems_are_few_and_short() -> None:
    with pytest.raises(UndecodableError) as caught:
        read("map", headers={f"a{n}": [] if n % 2 else 7 for n in range(14)}, tags={f"t{n}" * 50: 7 for n in range(48)})
    lines = str(caught.value).split("; ")
    assert len(lines) == MAX_PROBLEMS
    assert max(map(len, lines)) <= MAX_LENGTH
    assert lines[-1].startswith("and ")


@pytest.mark.parametrize("form", FORMS)
def test_a_large_mail_with_few_values_is_read(form: str) -> None:
    body = '<p style="a:b,c">\\"[{,:' * 50_000
    assert read(form, body=body, metadata=list(range(5_000))).body == body


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(), inner, min_size=1),
    max_leaves=10,
)


def _count(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + _count(each) for each in value.values())
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1


@given(_JSON)
def test_keys_and_values_are_counted_exactly(value: object) -> None:
    count = _count(value)
    forms: list[tuple[Callable[[bytes, int], bool], bytes]] = [
        (json_exceeds, json.dumps(value, indent=1).encode()),
        (json_exceeds, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
        (packed_exceeds, msgpack.packb(value, unicode_errors="surrogatepass")),
    ]
    for exceeds, document in forms:
        assert not exceeds(document, count)
        assert exceeds(document, count - 1)


@pytest.mark.parametrize("size", [10, 100, 1_000, 70_000])
def test_every_kind_of_packed_value_is_stepped_over(size: int) -> None:
    kinds = ["x" * size, b"x" * size, msgpack.ExtType(7, b"x" * size), [1] * size, {n: n for n in range(size)}]
    kinds += [msgpack.ExtType(7, b"x" * width) for width in (1, 2, 4, 8, 16)]
    kinds += [sign * 2**power - (sign < 0) for power in (3, 7, 15, 31, 62) for sign in (1, -1)]
    kinds += [None, True, False, 1.5, 2**64 - 1, msgpack.Timestamp(1, 0), msgpack.Timestamp(2**40, 7)]
    packed = msgpack.packb(kinds) + b"\xca\x00\x00\x00\x00"  # a float of 32 bits, which Python never writes
    count = 1 + len(kinds) + 3 * size
    assert not packed_exceeds(packed, count)
    assert packed_exceeds(packed, count - 1)


def test_broken_bytes_never_count_wrong_enough_to_crash() -> None:
    dice = random.Random(1)
    for _ in range(2_000):
        noise = dice.randbytes(dice.randint(0, 200))
        packed_exceeds(noise, dice.randint(0, 50))
        json_exceeds(noise, dice.randint(0, 50))
