"""No bytes can make the reader mix two answers up, wait for more than it keeps, or believe half an answer."""

import gzip
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from email_consumer.aws.response import MOST
from email_consumer.ses.answer_reader import AnswerReader, UnreadableAnswerError
from email_consumer.ses.transport import Answer
from tests.servers.answers import FRAGMENTS

BODY = b'{"MessageId":"42"}'
HEADERS = {"content-type": "application/json", "x-amzn-requestid": "1"}
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 1\r\n"
WITH_LENGTH = _HEAD + b"Content-Length: 18\r\n\r\n" + BODY
IN_CHUNKS = (
    _HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n7;x=y\r\n"
    + BODY[:7]
    + b"\r\nb\r\n"
    + BODY[7:]
    + b"\r\n0\r\nX: y\r\n\r\n"
)
AFTER_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + WITH_LENGTH
ENCODED = _HEAD + b"Content-Encoding: gzip\r\nContent-Length: 38\r\n\r\n" + gzip.compress(BODY)
WHOLE = {"length": WITH_LENGTH, "chunks": IN_CHUNKS, "hints": AFTER_HINTS, "gzip": ENCODED}


def read(*pieces: bytes) -> tuple[AnswerReader, Answer | None]:
    reader = AnswerReader()
    return reader, next(filter(None, map(reader.feed, pieces)), None)


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_split_at_any_byte_is_the_same(name: str) -> None:
    whole = WHOLE[name]
    for split in range(1, len(whole)):
        reader, answer = read(whole[:split], whole[split:])
        assert answer is not None
        assert (answer.status, answer.body) == (200, BODY)
        assert answer.headers.items() >= HEADERS.items()
        assert reader.reusable == (name != "hints")


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_cut_at_any_byte_is_none(name: str) -> None:
    for length in range(len(WHOLE[name])):
        reader, answer = read(WHOLE[name][:length])
        assert answer is None
        assert not reader.reusable
        with pytest.raises(UnreadableAnswerError):
            reader.end()


@pytest.mark.parametrize("name", WHOLE)
def test_byte_by_byte(name: str) -> None:
    _, answer = read(*(bytes([byte]) for byte in WHOLE[name]))
    assert answer is not None
    assert answer.body == BODY


def test_an_answer_that_has_no_length_ends_with_the_connection() -> None:
    reader, answer = read(_HEAD + b"\r\n", BODY)
    assert answer is None
    assert reader.end().body == BODY
    assert not reader.reusable


def test_trailers_say_nothing() -> None:
    _, answer = read(IN_CHUNKS.replace(b"X: y", b"x-amzn-RequestId: 2\r\nContent-Encoding: br"))
    assert answer is not None
    assert answer.headers["x-amzn-requestid"] == "1"


def test_a_field_that_comes_twice_is_a_list() -> None:
    _, answer = read(WITH_LENGTH.replace(b"\r\n\r\n", b"\r\nX-Amzn-RequestID: 2\r\n\r\n"))
    assert answer is not None
    assert answer.headers["x-amzn-requestid"] == "1, 2"


@pytest.mark.parametrize(
    "surplus", [b"x", b"\0", WITH_LENGTH, WITH_LENGTH[:3], b"0\r\n\r\n", b"\r\n" + WITH_LENGTH, b"x" * 3 * MOST]
)
@pytest.mark.parametrize("name", WHOLE)
def test_what_follows_an_answer_neither_changes_it_nor_waits_for_the_next_request(name: str, surplus: bytes) -> None:
    reader, answer = read(WHOLE[name] + surplus)
    assert answer is not None
    assert answer.body == BODY
    assert not reader.reusable


@pytest.mark.parametrize("field", [b"Connection: close", b"Upgrade: h2c\r\nConnection: upgrade"])
def test_a_connection_that_will_not_go_on_is_not_reusable(field: bytes) -> None:
    reader, answer = read(WITH_LENGTH.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n\r\n"))
    assert answer is not None
    assert not reader.reusable


def test_nor_is_one_of_an_older_protocol() -> None:
    for kept in (b"", b"\r\nConnection: keep-alive"):
        reader, answer = read(WITH_LENGTH.replace(b"1.1", b"1.0").replace(b"\r\n\r\n", kept + b"\r\n\r\n"))
        assert answer is not None
        assert not reader.reusable


def test_the_largest_body() -> None:
    largest = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MOST + b"x" * MOST
    _, answer = read(largest)
    assert answer is not None
    assert len(answer.body) == MOST
    with pytest.raises(UnreadableAnswerError, match="more than"):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST + 1) + b"x" * (MOST + 1))


@pytest.mark.parametrize(
    ("begun", "on_and_on"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (b"", b"\r\n"),
    ],
    ids=["field", "fields", "body", "chunks", "extension", "trailers", "interim", "line breaks"],
)
@pytest.mark.parametrize("size", [100, 2**18])
def test_whatever_goes_on_and_on_has_a_bound(begun: bytes, on_and_on: bytes, size: int) -> None:
    piece = on_and_on * (size // len(on_and_on))
    with pytest.raises(UnreadableAnswerError, match="more than"):
        read(begun, *[piece] * (3 * MOST // len(piece) + 1))


@settings(derandomize=True, max_examples=500)
@given(
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=8)), max_size=12).map(b"".join),
    st.lists(st.integers(0, 300), max_size=6),
)
def test_any_bytes_in_any_pieces(stream: bytes, cuts: list[int]) -> None:
    """One answer or none; the same however the bytes come, and the connection reusable only if nothing is left over."""
    bounds = [0, *sorted(cuts), len(stream)]
    outcomes: list[Answer | None] = []
    for pieces in ([stream], [stream[a:b] for a, b in pairwise(bounds)], [bytes([byte]) for byte in stream]):
        reader = AnswerReader()
        taken, answer = 0, None
        try:
            for piece in pieces:
                taken += len(piece)
                if answer := reader.feed(piece):
                    break
        except UnreadableAnswerError:
            assert not reader.reusable
            outcomes.append(None)
            continue
        outcomes.append(answer)
        if answer is None:
            assert not reader.reusable
        elif reader.reusable and taken == len(stream):
            again = WITH_LENGTH
            reader.begin()
            second = reader.feed(again)
            assert second is not None
            assert second.body == BODY
    assert all(outcome == outcomes[0] for outcome in outcomes)
