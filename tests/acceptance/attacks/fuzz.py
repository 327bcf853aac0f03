"""Requests made from the OpenAPI document with something odd about each: its target, method, headers, framing or body."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.acceptance.attacks.raw import request

KEY_HEADER = b"X-API-KEY: "
_PLACEHOLDER = re.compile(r"\{\w+\}")
_JSON = b"Content-Type: application/json"

METHODS = b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT PROPFIND SEARCH QUERY PURGE LINK M-SEARCH GETT get Post X".split()
TEXTS = [
    *(
        b"",
        b"0",
        b"-1",
        b"1",
        b"00",
        b"1e3",
        b"0x10",
        b"1.5",
        b"NaN",
        b"Infinity",
        b"9" * 18,
        b"9" * 19,
        b"9" * 400,
        b"-9223372036854775809",
    ),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"%5B%5D",
        b"%7B%7D",
        b"*",
        b"%25",
        b"%2500",
        b"%2e%2e%2f",
        b"..%5c..%5c",
        b"%252e%252e",
    ),
    *(
        b"%27%20OR%201=1--",
        b"%22;DROP%20TABLE%20email_requests;--",
        b"%3Cscript%3E",
        b"%24%7B7*7%7D",
        b"%7B%7B7*7%7D",
        b"%60id%60",
    ),
    *(
        b"%00",
        b"a%00b",
        b"%ff",
        b"%c3%28",
        b"%ed%a0%80",
        b"%f4%90%80%80",
        b"%e2%80%8b",
        b"%ef%bb%bf",
        b"%f0%9f%92%a3",
        b"%u0041",
    ),
    *(
        b"%0d%0aX-Injected:%20yes",
        b"%0a",
        b"%1b%5b2J",
        b"%07",
        b"%7f",
        b"%e2%80%ae",
        b"%d0%ba%d0%bb%d1%8e%d1%87",
        b"+",
        b"%2B",
        b"%20",
    ),
    *(
        b"a" * 257,
        b"a" * 4_000,
        b"%41" * 1_300,
        b"a@b",
        b"%40",
        b"a%40example.com",
        b"@" * 300,
        b"a." * 300,
        b"1.1",
        b"2026-13-45",
    ),
]
"""As they stand in a target, percent-encoded or badly so."""
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 10**18, -(10**18), 2**53 + 1, 2**64, 10**400, 1e308, "", " ", "\0", "\x1b[2J", "a\r\nBcc: x@example.com"),
    *([], {}, [[]], [None], [{}], {"": {}}, {"a": []}, [0] * 60, ["a"] * 60, {"x" * 300: 1}, "a" * 70_000, "\ud800", "\U0010fffe", "💣" * 300),
    *("not-an-address", "a@b@c", "@", "a@", "a@" + "b." * 200 + "c", "Name <a@example.com", "a@[127.0.0.1]", '"a\\"@example.com', "a@xn--zzzz--.example"),
    *("2026-02-30T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z", "1970-01-01", "now", "24:00", "P1D", "2026-01-01T00:00:00+99:99"),
    *("../../etc/passwd", "${jndi:ldap://example.com/a}", "<script>", "{{7*7}}", "%s%n", "' OR 1=1--", "javascript:alert(1)", "data:,x", "AAAA====", "\ufeff"),
]  # fmt: skip
RAW_BODIES = [
    *(b"", b" ", b"\0", b"\xff\xfe", b"\xef\xbb\xbf{}", b"null", b"0", b'"', b"{", b"}", b"[", b"[]", b"{}", b"{]", b'{"a"', b'{"a":}', b"{'a':1}"),
    *(b'{"a":1,}', b'{"a":1}{"a":1}', b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"a":"\xff"}', b'{"a":"\\u0000"}', b"nul", b"tru", b"-"),
    *(b"[" * 2_000, b'{"a":' * 2_000, b"[" + b"1," * 5_000 + b"1]", b'"' + b"a" * 20_000 + b'"', b"1" * 5_000, b"a=b&c=d", b"<xml/>", b"--x\r\n\r\n"),
    *(b"\x81\xa1a\x01", b"\x1f\x8b\x08\x00", b"PK\x03\x04", b"\x89PNG", b"%PDF", b'{"messages":[]}', b'{"messages":{}}', b'{"messages":[[]]}'),
    *(b'{"address":1}', b'{"address":""}', b'{"Type":"Notification"}', b"List-Unsubscribe=Two-Click", b'{"messages":null,"messages":[]}'),
]  # fmt: skip
CONTENT_TYPES = [
    *(b"", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b"multipart/form-data; boundary=", b"application/xml"),
    *(b"application/json; charset=utf-16", b"application/json; charset=nonsense", b"application/json;;;", b"application/", b"/", b"*/*", b"\xff"),
    *(b"application/x-msgpack", b"application/problem+json", b"APPLICATION/JSON", b"a" * 4_000, b"application/json, text/html", b"+json"),
]  # fmt: skip
HEADERS = [
    *(b"Accept: \xff", b"Accept: application/xml", b"Accept-Encoding: " + b"gzip, " * 500, b"Accept-Language: *", b"Range: bytes=9-0", b"Range: x"),
    *(b"If-Modified-Since: never", b'If-Match: "', b"If-Range: 0", b"Cookie: " + b"a=b; " * 800, b"Cookie: \xff=\xff; ;;=;", b'Cookie: a="\\'),
    *(b"Idempotency-Key: ", b"Idempotency-Key: \xff", b"Idempotency-Key: " + b"k" * 5_000, b"X-Request-ID: \x01", b"Content-Encoding: gzip"),
    *(b"Content-Encoding: br, gzip", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: identity", b"TE: x"),
    *(b"Expect: 100-continue", b"Expect: rain", b"Expect: \xff", b"Upgrade: websocket", b"Upgrade: h2c", b"Connection: upgrade, Host", b"Host: "),
    *(b"Host: \xff", b"Host: a, b", b"Host: " + b"a" * 5_000, b"Host: [::1", b"Origin: \xff", b"Sec-Fetch-Site: cross-site", b"Forwarded: for=\xff"),
    *(b"X-Forwarded-For: " + b"1.2.3.4, " * 500, b"x-amz-sns-message-type: \xff", b"x-amz-sns-rawdelivery: TRUE", b"User-Agent: " + b"u" * 8_000),
    *(b"Content-Length: -1", b"Content-Length: 1, 1", b"Content-Length: 1e3", b"Content-Length: +1", b"Content-Length: 0x1", b"Content-Length: " + b"9" * 30),
    *(b": empty", b"a b: c", b"no colon", b"\xff: x", b"X:\0", b"X: a\rb", b" folded: x", b"X-\xc3\xa9: 1", b"X: " + b"a" * 8_191, b"X" * 8_191 + b": a"),
]  # fmt: skip
NO_HTTP = [
    *(b"\0" * 100 + b"\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    *(b"GET / HTTP/1.1 x\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b" GET / HTTP/1.1\r\n\r\n", b"GET / http/1.1\r\n\r\n", b"GET / HTTP/1.\r\n\r\n", b"GET / HTTP/-1\r\n\r\n"),
    *(b"EHLO x\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b'CONNECT {"verbose":false}\r\n\r\n', b"PUB messages.email 1\r\nx\r\n\r\n", b"USER a\r\nPASS b\r\n\r\n", b"*1\r\n$4\r\nPING\r\n\r\n"),
    *(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"\x05\x01\x00\r\n\r\n", b"\x00\x00\x00\x08\x04\xd2\x16\x2f\r\n\r\n", b'{"a":1}\r\n\r\n'),
    *(b"GET http://[/ HTTP/1.1\r\n\r\n", b"GET http://a:b@c:99999/ HTTP/1.1\r\n\r\n", b"GET * HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n"),
    *(b"GET /\xff\xfe HTTP/1.1\r\n\r\n", b"GET /a b HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", b"G" * 9_000 + b" / HTTP/1.1\r\n\r\n"),
]  # fmt: skip
_CHUNKS = [
    b"zz\r\n",
    b"-1\r\n",
    b"3\r\nabcdef\r\n",
    b"f" * 17 + b"\r\n",
    b"1;" + b"x" * 20_000 + b"\r\na\r\n0\r\n\r\n",
    b"\0\r\n",
    b"1\r\na0\r\n\r\n",
    b"0x1\r\na\r\n0\r\n\r\n",
]


@dataclass(frozen=True)
class Fuzzed:
    data: bytes
    operation: tuple[str, str] | None = None
    """Method and path of the document, where it is surely this that answers."""


def requests(document: dict[str, Any], key: bytes) -> list[Fuzzed]:
    """The same ones each time; about half of them bring the key."""
    return list(_Maker(document, key).all())


class _Maker:
    def __init__(self, document: dict[str, Any], key: bytes) -> None:
        self._key = KEY_HEADER + key
        self._chance = random.Random(11)
        self._document = document
        self._operations = [
            (method, path, described)
            for path, item in document["paths"].items()
            for method, described in item.items()
            if "text/event-stream" not in str(described)  # a page may look at it as long as it likes
        ]

    def all(self) -> Iterator[Fuzzed]:
        for method, path, described in self._operations:
            for text in TEXTS if "{" in path else ():
                yield self._one(method, path, filled=text, sure=text not in {b"", b"%2e%2e%2f"})
            for parameter in described["parameters"]:
                if parameter["in"] == "query":
                    for text in TEXTS:
                        yield self._one(method, path, query=b"%s=%s" % (parameter["name"].encode(), text))
            for text in self._chance.sample(TEXTS, 6):
                yield self._one(method, path, query=text + b"&&=&" + text + b"=" + text)
            for other in self._chance.sample(METHODS, 6):
                yield Fuzzed(request(other, self._target(path), self._headers()))
            for header in self._chance.sample(HEADERS, 12):
                yield Fuzzed(request(method.upper().encode(), self._target(path), (header, *self._headers())))
            if "requestBody" in described:
                yield from self._bodies(method, path)
        yield from map(Fuzzed, NO_HTTP)

    def _one(self, method: str, path: str, *, filled: bytes = b"1", query: bytes = b"", sure: bool = True) -> Fuzzed:
        target = self._target(path, filled) + (b"?" + query if query else b"")
        headers = (*self._headers(), _JSON)
        return Fuzzed(request(method.upper().encode(), target, headers), (method, path) if sure else None)

    def _bodies(self, method: str, path: str) -> Iterator[Fuzzed]:
        target, verb, known = self._target(path), method.upper().encode(), (method, path)
        for body in RAW_BODIES:
            yield Fuzzed(request(verb, target, (self._key, _JSON), body), known)
        for kind in CONTENT_TYPES:
            yield Fuzzed(request(verb, target, (self._key, b"Content-Type: " + kind), b"{}"), known)
        for chunks in _CHUNKS:
            yield Fuzzed(request(verb, target, (self._key, _JSON, b"Transfer-Encoding: chunked"), chunks), known)
        for document in self._documents(path):
            body = json.dumps(document).encode(errors="surrogatepass")
            yield Fuzzed(request(verb, target, (self._key, _JSON), body), known)

    def _documents(self, path: str) -> Iterator[Any]:
        """Right ones, but for one value."""
        if path == "/v1/messages":
            message = {
                "emails": ["a@example.com"],
                "subject": "s",
                "content": "<p>b</p>",
                "scheduled_at": "2999-01-01T00:00:00Z",
            }
            schemas = self._document["components"]["schemas"]
            for name in schemas["NewMessage"]["properties"]:
                yield from ({"messages": [message | {name: value}]} for value in self._chance.sample(VALUES, 12))
            yield from ({"messages": [message], "scheduled_at": value} for value in VALUES)
            yield from ({"messages": value} for value in VALUES)
        else:
            for name in ("address", "reason", "note", "Type", "Message", "SigningCertURL", "Signature"):
                yield from ({"address": "a@example.com", name: value} for value in self._chance.sample(VALUES, 6))

    def _headers(self) -> tuple[bytes, ...]:
        return (self._key,) if self._chance.random() < 0.5 else ()

    @staticmethod
    def _target(path: str, filled: bytes = b"1") -> bytes:
        return _PLACEHOLDER.sub("\0", path).encode().replace(b"\0", filled)
