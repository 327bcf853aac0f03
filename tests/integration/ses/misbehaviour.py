"""What a server, or what stands before it, may do with a connection, and what is then true of the mail."""

import asyncio
import gzip
import os
from dataclasses import dataclass

from email_consumer.core.outcome import Held, InDoubt, SendResult, Sent
from tests.servers.answers import ACCEPTED, accepted, answer
from tests.servers.raw_server import Connection, Script

NEXT = accepted(b'{"MessageId":"next"}')
"""What a server answers that behaves."""
SES = accepted(ACCEPTED)
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_CHUNKS = b'7\r\n{"Messa\r\nb\r\ngeId":"42"}\r\n'
IN_CHUNKS = _CHUNKED + _CHUNKS + b"0\r\n\r\n"
_HTTP_1_0 = SES.replace(b"HTTP/1.1", b"HTTP/1.0")
_MEGABYTE = 2**20


@dataclass(frozen=True)
class Misbehaviour:
    script: Script
    """What is done with the connection until it is closed."""
    outcomes: tuple[type[SendResult], ...]
    """Any of them: where the server closes without a look at the request, it may be written or not."""
    slow: bool = False
    """Only the time-out ends it, over aiohttp at least. A mail before has opened the connection, so that the request
    surely is written."""
    tls: bool = False
    large: bool = False
    """With a mail that takes many packets."""
    aiohttp: tuple[type[SendResult], ...] = ()
    """What it is over aiohttp, where that differs."""


async def behave(connection: Connection) -> None:
    while True:
        await connection.request()
        await connection.answer(NEXT)


async def _close(_connection: Connection) -> None:
    pass


async def _reset(connection: Connection) -> None:
    connection.reset()


async def say_no_more(connection: Connection) -> None:
    await connection.ignore()


async def _half_close(connection: Connection) -> None:
    connection.writer.write_eof()
    await connection.ignore()


def _go_on(piece: bytes, pause: float = 0) -> Script:
    async def script(connection: Connection) -> None:
        while True:
            await connection.answer(piece)
            await asyncio.sleep(pause)

    return script


def _say(response: bytes, then: Script) -> Script:
    async def script(connection: Connection) -> None:
        await connection.answer(response)
        await then(connection)

    return script


def _answer(response: bytes, then: Script = behave) -> Script:
    async def script(connection: Connection) -> None:
        await connection.request()
        await _say(response, then)(connection)

    return script


async def _byte_by_byte(connection: Connection) -> None:
    await connection.request()
    for byte in SES:
        await connection.answer(bytes([byte]))
        await asyncio.sleep(0)
    await behave(connection)


async def _answer_too_early(connection: Connection) -> None:
    await connection.reader.readuntil(b"\r\n\r\n")
    await _say(SES, say_no_more)(connection)


async def _closed_after_hello(connection: Connection) -> None:
    await connection.reader.read(1)


async def _garbage_inside_tls(connection: Connection) -> None:
    await connection.request()
    os.write(connection.writer.get_extra_info("socket").fileno(), b"\x00garbage" * 9)
    await connection.ignore()


def _sent(script: Script, *, tls: bool = False, large: bool = False) -> Misbehaviour:
    return Misbehaviour(script, (Sent,), tls=tls, large=large)


def _in_doubt(script: Script, *, slow: bool = False, tls: bool = False, or_sent: bool = False) -> Misbehaviour:
    """`or_sent`: as aiohttp takes it, whose parser lets more pass for HTTP."""
    return Misbehaviour(script, (InDoubt,), slow=slow, tls=tls, aiohttp=(Sent,) if or_sent else ())


def _unknown(script: Script) -> Misbehaviour:
    return Misbehaviour(script, (Held, InDoubt))


def _length(text: str) -> Misbehaviour:
    return _in_doubt(_answer(_OK + f"Content-Length: {text}\r\n\r\n".encode() + ACCEPTED, _close))


MISBEHAVIOURS = {
    # The connection ends.
    "closed before the request": _unknown(_close),
    "reset before the request": _unknown(_reset),
    "closed after the request": _in_doubt(_answer(b"", _close)),
    "reset after the request": _in_doubt(_answer(b"", _reset)),
    "half-closed after the request": _in_doubt(_answer(b"", _half_close)),
    "closed after half the head": _in_doubt(_answer(SES[:20], _close)),
    "closed after half the body": _in_doubt(_answer(SES[:-9], _close)),
    "reset after half the head": _in_doubt(_answer(SES[:20], _reset)),
    "reset after half the body": _in_doubt(_answer(SES[:-9], _reset)),
    "half-closed after half the body": _in_doubt(_answer(SES[:-9], _half_close)),
    "closed after the answer": _sent(_answer(SES, _close)),
    "half-closed after the answer": _sent(_answer(SES, _half_close)),
    "answered before the request was complete": _sent(_answer_too_early, large=True),
    # It does not end.
    "silent from the start": _in_doubt(say_no_more, slow=True),
    "silent after the request": _in_doubt(_answer(b"", say_no_more), slow=True),
    "silent after half the head": _in_doubt(_answer(SES[:20], say_no_more), slow=True),
    "silent after half the body": _in_doubt(_answer(SES[:-9], say_no_more), slow=True),
    "answered when nobody waits any more": _in_doubt(_say(b"", say_no_more), slow=True),
    "head that trickles": _in_doubt(_answer(_OK + b"X: ", _go_on(b"x", 0.01)), slow=True),
    "body that trickles": _in_doubt(_answer(_OK + b"Content-Length: 9999\r\n\r\n", _go_on(b" ", 0.01)), slow=True),
    "trailers that trickle": _in_doubt(_answer(_CHUNKED + _CHUNKS + b"0\r\n", _go_on(b"X: x\r\n", 0.01)), slow=True),
    "100, then nothing": _in_doubt(_answer(b"HTTP/1.1 100 Continue\r\n\r\n", say_no_more), slow=True),
    "Content-Length too long, silent": _in_doubt(_answer(SES.replace(b"18", b"19"), say_no_more), slow=True),
    # More than was asked for, or than anyone needs.
    "two answers at once": _sent(_answer(SES * 2)),
    # aiohttp forgets the answer for what follows.
    "junk after the answer": Misbehaviour(_answer(SES + b"\x00junk", say_no_more), (Sent,), aiohttp=(InDoubt,)),
    "line breaks after the answer": _sent(_answer(SES + b"\r\n\r\n")),
    "a body for 204": _in_doubt(_answer(answer("204 No Content", ACCEPTED))),
    "a body for 304": _in_doubt(_answer(answer("304 Not Modified", ACCEPTED))),
    "a field without end": _in_doubt(_answer(_OK + b"X: ", _go_on(b"x" * 999))),
    "fields without end": _in_doubt(_answer(_OK, _go_on(b"X: x\r\n" * 99))),
    "a body without end": _in_doubt(_answer(_OK + b"\r\n", _go_on(b" " * 999))),
    "a body of a megabyte": _in_doubt(_answer(accepted(ACCEPTED[:-1] + b" " * _MEGABYTE + b"}"))),
    "chunks without end": _in_doubt(_answer(_CHUNKED, _go_on(b"1\r\n \r\n" * 99))),
    "a chunk extension without end": _in_doubt(_answer(_CHUNKED + b"7;x=", _go_on(b"x" * 999)), slow=True),
    "trailers without end": _in_doubt(_answer(_CHUNKED + _CHUNKS + b"0\r\n", _go_on(b"X: x\r\n" * 99))),
    "interim answers without end": _in_doubt(_answer(b"", _go_on(b"HTTP/1.1 102 Processing\r\n\r\n" * 99)), slow=True),
    "a bomb": _in_doubt(_answer(accepted(gzip.compress(ACCEPTED + b" " * _MEGABYTE), "Content-Encoding: gzip"))),
    # Another protocol, or none.
    "garbage": _in_doubt(_answer(b"\x00garbage\r\n\r\n", say_no_more)),
    "an SSH banner": _unknown(_say(b"SSH-2.0-OpenSSH_9.2p1\r\n", say_no_more)),
    "an SMTP greeting": _unknown(_say(b"220 mail.example.com ESMTP\r\n", say_no_more)),
    "HTTP/2": _in_doubt(
        _answer(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x80" * 3, say_no_more)
    ),
    "HTTP/2's preface": _in_doubt(_answer(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", say_no_more)),
    "a request": _in_doubt(_answer(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", say_no_more)),
    "101": _in_doubt(_answer(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + SES)),
    "HTTP/1.0": _sent(_answer(_HTTP_1_0, _close)),
    "HTTP/1.0, kept": _sent(_answer(_HTTP_1_0)),
    "200 that would upgrade": _sent(_answer(accepted(ACCEPTED, "Connection: upgrade", "Upgrade: h2c"))),
    # Where the answer ends.
    "no length, closed": _sent(_answer(_OK + b"\r\n" + ACCEPTED, _close)),
    "no length, half-closed": _sent(_answer(_OK + b"\r\n" + ACCEPTED, _half_close)),
    "no length, closed too early": _in_doubt(_answer(_OK + b"\r\n" + ACCEPTED[:-1], _close)),
    "no length, reset too early": _in_doubt(_answer(_OK + b"\r\n" + ACCEPTED[:-1], _reset)),
    "Connection: close": _sent(_answer(accepted(ACCEPTED, "Connection: close"), _close)),
    "Connection: close, kept": _sent(_answer(accepted(ACCEPTED, "Connection: close"))),
    "Content-Length too long, closed": _length("19"),
    "Content-Length too short": _length("17"),
    "Content-Length: +18": _length("+18"),
    "Content-Length: -18": _length("-18"),
    "Content-Length: 0x12": _length("0x12"),
    "Content-Length: 18, 18": _length("18, 18"),
    "Content-Length empty": _length(""),
    "Content-Length beyond 64 bits": _length("18446744073709551634"),
    "two lengths": _length("18\r\nContent-Length: 17"),
    "chunks and a length": _in_doubt(_answer(_CHUNKED[:-2] + b"Content-Length: 18\r\n\r\n" + _CHUNKS + b"0\r\n\r\n")),
    "chunks": _sent(_answer(IN_CHUNKS)),
    "chunks with trailers": _sent(_answer(_CHUNKED + _CHUNKS + b"0\r\nContent-Encoding: br\r\n\r\n")),
    "chunks, cut": _in_doubt(_answer(_CHUNKED + _CHUNKS, _close)),
    "chunks, cut before the last line": _in_doubt(_answer(_CHUNKED + _CHUNKS + b"0\r\n", _close)),
    "a chunk size that is none": _in_doubt(_answer(_CHUNKED + b"x\r\n" + ACCEPTED, _close)),
    "a chunk size beyond 64 bits": _in_doubt(_answer(_CHUNKED + b"10000000000000012\r\n" + ACCEPTED, _close)),
    "Transfer-Encoding: gzip": _in_doubt(
        _answer(_OK + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(ACCEPTED), _close)
    ),
    # How it is written.
    "byte by byte": _sent(_byte_by_byte),
    "100 before": _sent(_answer(b"HTTP/1.1 100 Continue\r\n\r\n" + SES)),
    "103 before": _sent(_answer(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + SES)),
    "gzip": _sent(_answer(accepted(gzip.compress(ACCEPTED), "Content-Encoding: gzip"))),
    "gzip, cut": _in_doubt(_answer(accepted(gzip.compress(ACCEPTED)[:-4], "Content-Encoding: gzip"))),
    "a field twice": _sent(_answer(accepted(ACCEPTED, "Date: now", "Date: then"))),
    "a field with NUL": _in_doubt(_answer(accepted(ACCEPTED, "X: a\0b"), say_no_more)),
    "a field over two lines": _in_doubt(_answer(accepted(ACCEPTED, "X: a", " b")), or_sent=True),
    "a field without a colon": _in_doubt(_answer(accepted(ACCEPTED, "X"), say_no_more)),
    "a field without a name": _in_doubt(_answer(accepted(ACCEPTED, ": x"), say_no_more)),
    "a space before the colon": _in_doubt(_answer(accepted(ACCEPTED, "X : x"), say_no_more)),
    "lines that end in LF": _in_doubt(_answer(SES.replace(b"\r\n", b"\n")), or_sent=True),
    "a status of two digits": _in_doubt(_answer(SES.replace(b"200", b"20"), say_no_more)),
    "a status of four digits": _in_doubt(_answer(SES.replace(b"200", b"2000"), say_no_more)),
    "no reason phrase": _sent(_answer(SES.replace(b"200 OK", b"200"))),
    # TLS.
    "TLS, closed without notify after the answer": _sent(_answer(SES, _reset), tls=True),
    "TLS, closed without notify after half the body": _in_doubt(_answer(SES[:-9], _reset), tls=True),
    "TLS, closed without notify after half the head": _in_doubt(_answer(SES[:20], _reset), tls=True),
    "TLS, closed after half the body": _in_doubt(_answer(SES[:-9], _close), tls=True),
    "TLS, no length, closed": _sent(_answer(_OK + b"\r\n" + ACCEPTED, _close), tls=True),
    "TLS, no length, closed without notify": _in_doubt(
        _answer(_OK + b"\r\n" + ACCEPTED, _reset), tls=True, or_sent=True
    ),
    "TLS, closed after the answer": _sent(_answer(SES, _close), tls=True),
    "TLS, garbage in place of a record": _in_doubt(_garbage_inside_tls, tls=True),
    "TLS, two answers at once": _sent(_answer(SES * 2), tls=True),
}

FAILED_HANDSHAKES = {
    "closed": _close,
    "reset": _reset,
    "closed after the client's hello": _closed_after_hello,
    "garbage": _say(b"\x00garbage" * 9, say_no_more),
    "HTTP": _say(SES, say_no_more),
    "an alert": _say(b"\x15\x03\x03\x00\x02\x02\x28", say_no_more),
}
"""In place of the server's part."""
