"""The same message in each form, and what is not a message in any."""

import base64
import contextlib
import json
import random

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_consumer.message.model import UndecodableError, decode
from email_consumer.message.wire_format import parse

_MAIL = {"uuid": "u-1", "email": "you@example.com", "subject": "Grüße", "body": "<p>\r\nünchanged\t</p>"}
_VALUES = st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(), st.lists, max_leaves=5)


def _base64(packed: bytes) -> bytes:
    return base64.b64encode(packed)


@pytest.mark.parametrize(
    "payload",
    [
        msgpack.packb(_MAIL),
        msgpack.packb(list(_MAIL.values())),
        json.dumps(_MAIL).encode(),
        json.dumps(_MAIL, ensure_ascii=False, indent=2).encode(),
        b"\n " + json.dumps(list(_MAIL.values())).encode(),
        _base64(msgpack.packb(_MAIL)),
        _base64(msgpack.packb(list(_MAIL.values()))),
        base64.encodebytes(msgpack.packb(_MAIL)),
    ],
    ids=["map", "array", "json", "json utf-8", "json array", "base64 map", "base64 array", "base64 in lines"],
)
def test_every_form_is_the_same_message(payload: bytes) -> None:
    assert decode(payload).model_dump(exclude_unset=True) == _MAIL


@given(st.dictionaries(st.text(), _VALUES) | st.lists(_VALUES))
def test_no_form_is_taken_for_another(value: object) -> None:
    packed = msgpack.packb(value)
    assert parse(packed) == parse(_base64(packed)) == parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize("name", ["topic_id", "topicId", "plan_id", "planId"])
@pytest.mark.parametrize("topic", ["summer", 7])
def test_a_plan_is_a_topic(name: str, topic: object) -> None:
    message = decode(json.dumps(_MAIL | {name: topic}).encode())
    assert message.topic_id == str(topic)
    assert message.model_dump(exclude_unset=True) == _MAIL | {"topic_id": str(topic)}


def test_json_carries_an_attachment_as_base64() -> None:
    attachment = {"filename": "a.bin", "content": "AP8=", "contentType": "application/x-test"}
    [read] = decode(json.dumps(_MAIL | {"attachments": [attachment]}).encode()).attachments
    assert (read.content, read.content_type) == (b"\x00\xff", "application/x-test")


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", "not MessagePack"),
        (b"\xc1", "not MessagePack: FormatError$"),
        (b"\x81\x91\x01\x02", "not MessagePack: unhashable type: 'list'$"),
        (b'{"uuid": ', "not JSON"),
        (b'{"uuid": "\xff"}', "not JSON"),
        (b"just words", "neither MessagePack, nor JSON, nor base64"),
        (_base64(b"\xc1"), "not MessagePack"),
        (_base64(msgpack.packb(7)), "a single int, neither map nor array"),
        (b"\x07", "neither MessagePack, nor JSON, nor base64"),
        (b'{"uuid": "u"}', "email: is required"),
    ],
)
def test_what_is_none_says_so_without_repeating_it(payload: bytes, fault: str) -> None:
    with pytest.raises(UndecodableError, match=fault):
        decode(payload)


def test_whatever_is_wrong_with_the_bytes_it_is_undecodable_and_nothing_else() -> None:
    good = msgpack.packb(_MAIL | {"cc": ["b@example.com"], "headers": {"X-A": "1"}, "scheduled_at": "2024-01-01 09:00"})
    dice = random.Random(1)
    for _ in range(3000):
        spoilt = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        with contextlib.suppress(UndecodableError):
            decode(bytes(spoilt))
