"""What the parser takes itself, it takes as nats-py's own would, however the bytes arrive."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from nats.errors import Error as NatsError
from nats.protocol.parser import Parser

from email_consumer.jetstream.parser import MessageParser

_NAMES = st.text("abcdefgäü.*>$-_0123456789", min_size=1, max_size=12).map(str.encode)
_BYTES = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"\r\n", b"MSG a 1 3\r\nabc\r\n", b"PING\r\n"]))
# As servers send them. nats-py's pattern for HMSG takes digits that follow its line for the sizes.
_HEADERS = _BYTES.map(b"NATS/1.0".__add__)
_OTHER = st.sampled_from(
    [b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b'INFO {"max_payload": 7}\r\n', b"-ERR 'Stale Connection'\r\n"]
)


@st.composite
def _message(draw: st.DrawFn) -> bytes:
    payload, headers, reply = draw(_BYTES), draw(st.none() | _HEADERS), draw(st.none() | _NAMES)
    words = [b"MSG" if headers is None else b"HMSG", draw(_NAMES), b"%d" % draw(st.integers(0, 2**40))]
    words += [] if reply is None else [reply]
    words += [] if headers is None else [b"%d" % len(headers)]
    words.append(b"%d" % (len(headers or b"") + len(payload)))
    return b" ".join(words) + b"\r\n" + (headers or b"") + payload + b"\r\n"


class _Client:
    """Notes what a parser passes on."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        async def noted(*arguments: Any) -> None:
            self.calls.append((name, *(argument or b"" for argument in arguments)))

        return noted


async def _parsed(kind: type[Parser], pieces: list[bytes]) -> tuple[list[tuple[Any, ...]], bool]:
    client = _Client()
    parser = kind(client)
    try:
        for piece in pieces:
            await parser.parse(piece)
    except NatsError:
        return client.calls, True
    return client.calls, False


def _in_pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({cut % (len(stream) + 1) for cut in cuts} | {len(stream)})
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.lists(_message() | _OTHER, max_size=8), st.lists(st.integers(0, 10_000), max_size=6))
def test_the_same_is_passed_on_as_by_nats_py(items: list[bytes], cuts: list[int]) -> None:
    pieces = _in_pieces(b"".join(items), cuts)
    assert asyncio.run(_parsed(MessageParser, pieces)) == asyncio.run(_parsed(Parser, pieces))


@given(st.lists(_message() | _OTHER | st.binary(max_size=20), max_size=5))
def test_whatever_else_arrives_is_left_to_nats_py(items: list[bytes]) -> None:
    stream = [b"".join(items)]
    assert asyncio.run(_parsed(MessageParser, stream)) == asyncio.run(_parsed(Parser, stream))


def test_a_message_of_a_megabyte_arrives_in_small_pieces() -> None:
    message = b"MSG a 1 %d\r\n%b\r\n" % (2**20, b"x" * 2**20)
    pieces = [message[start : start + 1000] for start in range(0, len(message), 1000)]
    [(_, sid, subject, _, payload, _)], failed = asyncio.run(_parsed(MessageParser, pieces))
    assert (sid, subject, len(payload), failed) == (1, b"a", 2**20, False)
