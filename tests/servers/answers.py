"""What may come back in place of SES's own answer, by name."""

import gzip
import zlib

ACCEPTED = b'{"MessageId":"42"}'
_ERROR = ("x-amzn-requestid: 1", "x-amzn-errortype: Throttling")


def answer(status: str, body: bytes, *fields: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


def accepted(body: bytes, *fields: str) -> bytes:
    return answer("200 OK", body, *fields)


STRANGE = {
    "nothing": b"",
    "half": b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"MessageId"',
    "no HTTP": b"\x00garbage\r\n\r\n",
    "empty": accepted(b""),
    "no id": accepted(b"{}"),
    "a list": accepted(b"[]"),
    "a page": accepted(b"<html>log in to the network</html>"),
    "id null": accepted(b'{"MessageId": null}'),
    "id empty": accepted(b'{"MessageId": ""}'),
    "id blank": accepted(b'{"MessageId": " "}'),
    "id a number": accepted(b'{"MessageId": 7}'),
    "id a map": accepted(b'{"MessageId": {}}'),
    "id of two lines": accepted(b'{"MessageId": "a\\nb"}'),
    "id without end": accepted(b'{"MessageId": "' + b"z" * 257 + b'"}'),
    "too large": accepted(b'{"MessageId": "42"' + b" " * 2**16 + b"}"),
    "queued by a proxy": answer("202 Accepted", ACCEPTED),
    "no content": answer("204 No Content", b""),
    "moved": answer("307 Moved", b"", "Location: /else"),
    "proxy wants a password": answer("407 Proxy Authentication Required", b"<html>"),
    "a mesh's 503": answer("503 Service Unavailable", b"upstream connect error or disconnect/reset before headers"),
    "a mesh's JSON": answer("503 Service Unavailable", b'{"code": "UNAVAILABLE", "message": "no healthy upstream"}'),
    "a firewall's 403": answer("403 Forbidden", b"<html>blocked by policy</html>"),
    "a limiter's 429": answer("429 Too Many Requests", b"slow down"),
    "a code without a request id": answer("503 Service Unavailable", b'{"__type": "ServiceUnavailable"}'),
    "a request id without a code": answer("400 Bad Request", b'{"message": "bad"}', "x-amzn-requestid: 1"),
    "gzip, cut off": accepted(gzip.compress(ACCEPTED)[:-4], "Content-Encoding: gzip"),
    "gzip by name alone": accepted(ACCEPTED, "Content-Encoding: gzip"),
    "a bomb": accepted(gzip.compress(ACCEPTED[:-1] + b" " * 2**22 + b"}"), "Content-Encoding: gzip"),
    "brotli": accepted(ACCEPTED, "Content-Encoding: br"),
    "zstd": accepted(ACCEPTED, "Content-Encoding: zstd"),
    "encoded again and again": accepted(ACCEPTED, "Content-Encoding: " + ",".join(["gzip"] * 4)),
    "SES's error, unreadable": answer("400 Bad Request", b"{}", *_ERROR, "Content-Encoding: br"),
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mail\r\n\r\n",
}
"""Proves nothing."""

_TWICE = gzip.compress(zlib.compress(ACCEPTED))
ENCODED = {
    "gzip": accepted(gzip.compress(ACCEPTED), "Content-Encoding: gzip"),
    "x-gzip": accepted(gzip.compress(ACCEPTED), "content-encoding: X-GZIP"),
    "deflate": accepted(zlib.compress(ACCEPTED), "Content-Encoding: deflate"),
    "deflate without a header": accepted(zlib.compress(ACCEPTED)[2:-4], "Content-Encoding: deflate"),
    "identity": accepted(ACCEPTED, "Content-Encoding: identity"),
    "twice": accepted(_TWICE, "Content-Encoding: deflate, gzip"),
    "twice, in two fields": accepted(_TWICE, "Content-Encoding: deflate", "Content-Encoding: gzip"),
    "after early hints": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + accepted(ACCEPTED),
}
"""SES's acceptance, as something on the way may have written it again."""

FRAGMENTS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 x\r\n",
    b"HTTP/1.1 204 x\r\n",
    b"HTTP/",
    b"Content-Length: 18\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"Connection: close\r\n",
    b"X:",
    b"\r\n",
    b"\n",
    b"\0",
    b"12\r\n",
    b"ffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"x" * 9000,
    ACCEPTED,
    gzip.compress(ACCEPTED, mtime=0),
    accepted(ACCEPTED),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n" + ACCEPTED + b"\r\n0\r\n\r\n",
]
"""Of answers, to be put together to what may be one."""
