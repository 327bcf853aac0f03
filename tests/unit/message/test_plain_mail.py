"""A plain mail is read by a shorter way. Nobody can tell by which way a message was read."""

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from email_consumer.message.model import EmailMessage, UndecodableError, decode, encode, from_value
from email_consumer.message.plain_mail import read_plain_mail
from email_consumer.message.wire_format import parse

_PLAIN = {"uuid": "u-1", "email": "anna@example.com", "subject": "Hello", "body": "<p>Hi</p>"}
_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "a" * 256,
            "a" * 257,
            "ä@example.com",
            "anna@EXAMPLE.com",
            "Anna <anna@example.com>",
            "a\tb",
            "a\nb",
            "a\0b",
            "a" * 64,
            "acme\n",
        ]
    ),
    st.sampled_from([f"{'a' * 64}@example.com", f"{'a' * 65}@example.com", "a@localhost", "a.@example.com"]),
)
_VALUES = st.one_of(
    _TEXTS,
    st.none(),
    st.integers(-(2**63), 2**64 - 1),
    st.binary(max_size=5),
    st.lists(_TEXTS, max_size=2),
    st.booleans(),
)
_FURTHER = st.dictionaries(
    st.one_of(
        st.sampled_from(
            [
                "text",
                "topic_id",
                "tenant",
                "topicId",
                "plan_id",
                "cc",
                "track_opens",
                "tags",
                "scheduled_at",
                "topic_di",
                b"text",
                "x",
            ]
        ),
        st.text(max_size=5),
    ),
    _VALUES,
    max_size=4,
)
_OWN = st.fixed_dictionaries({}, optional={name: st.just(text) | _VALUES for name, text in _PLAIN.items()})


def _read_by_the_model(payload: bytes) -> EmailMessage:
    try:
        value = parse(payload)
    except ValueError as error:
        raise UndecodableError(str(error)) from None
    return from_value(value)


def _verdicts(payload: bytes) -> list[EmailMessage | str]:
    found: list[EmailMessage | str] = []
    for read in (decode, _read_by_the_model):
        try:
            found.append(read(payload))
        except UndecodableError as error:
            found.append(str(error))
    return found


def _assert_same(payload: bytes) -> None:
    ours, models = _verdicts(payload)
    assert ours == models
    if isinstance(ours, EmailMessage) and isinstance(models, EmailMessage):
        assert ours.model_fields_set == models.model_fields_set
        assert repr(ours) == repr(models)
        assert encode(ours) == encode(models)
        assert ours.fingerprint == models.fingerprint
        assert ours.model_copy(update={"cc": ()}) == models.model_copy(update={"cc": ()})


@given(_OWN, _FURTHER)
@example({}, {})
def test_any_map_has_the_same_verdict_fault_and_mail(
    own: dict[str | bytes, object], further: dict[str | bytes, object]
) -> None:
    _assert_same(msgpack.packb(own | further))
    _assert_same(msgpack.packb(dict[str | bytes, object](_PLAIN) | own | further))


@given(st.binary(max_size=30), st.integers(0, 60), st.booleans())
def test_so_have_damaged_bytes(damage: bytes, place: int, cut: bool) -> None:
    packed = msgpack.packb(_PLAIN)
    _assert_same(packed[:place] + damage + (b"" if cut else packed[place + len(damage) :]))


@pytest.mark.parametrize(
    "further", [{}, {"text": "Hi"}, {"topic_id": "spring"}, {"text": "Hi", "topic_id": "spring", "tenant": "acme"}]
)
def test_the_shorter_way_is_taken_by_plain_mail(further: dict[str, str]) -> None:
    assert read_plain_mail(msgpack.packb(_PLAIN | further)) == _PLAIN | further


def test_mails_share_no_mutable_value() -> None:
    first, second = decode(msgpack.packb(_PLAIN)), decode(msgpack.packb(_PLAIN))
    assert first.headers is not second.headers
    assert first.tags is not second.tags
