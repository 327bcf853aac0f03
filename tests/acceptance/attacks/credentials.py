"""Credentials that open nothing: what resembles a right key, and the right key in the wrong place."""

import base64
import hashlib
import itertools
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

KEY = b"Attack-me.0123456789abcdef"
OTHER_KEY = b"the-one-that-replaces-it-Zz9"
"""API_KEY holds both."""

_chance = random.Random(11)

_ANYBODYS = [
    "local",
    "changeme",
    "secret",
    "test",
    "admin",
    "password",
    "key",
    "api-key",
    "token",
    "null",
    "none",
    "undefined",
    "nil",
    "true",
    "false",
    "0",
    "1",
    "*",
    "%",
    "?",
    ".",
    "..",
    "/",
    "\\",
    "#",
    ";",
    ",",
    ":",
    "{}",
    "[]",
    "()",
    "''",
    '""',
    "``",
    "$API_KEY",
    "${API_KEY}",
    "{{API_KEY}}",
    "%API_KEY%",
    "API_KEY",
    "X-API-KEY",
    "Bearer",
    "bearer",
    "sandbox",
    "email-consumer",
    "'",
    "OR",
    "'1'='1",
    "'",
    "OR",
    "1=1--",
    '";',
    "DROP",
    "TABLE",
    "email_requests;--",
    "../../data/api-key",
    "file:///proc/self/environ",
    "%00",
    "%0d%0a",
    "\\x00",
    "\\u0000",
    "NaN",
    "Infinity",
    "-1",
    "1e309",
    "9999999999999999999999",
    ".*",
    "^.*$",
    "[^a]",
    "(?:)",
    "Attack-me.*",
    "Attack-me.%",
]


@dataclass(frozen=True)
class Attempt:
    headers: tuple[bytes, ...] = ()
    query: bytes = b""


def likenesses(*keys: bytes) -> Iterator[bytes]:
    """What resembles one of the keys, the most similar first."""
    for key in keys:
        yield from (key[:length] for length in range(1, len(key)))
        yield from (key[length:] for length in range(1, len(key), 3))
        for place in range(0, len(key), 2):
            yield key[:place] + bytes([key[place] ^ 1]) + key[place + 1 :]
            yield key[:place] + key[place + 1 :]
            yield key[:place] + key[place : place + 1] + key[place:]
        yield from (
            key + more for more in (b"0", b"=", b".", b",", b";", b"/", b"\xc2\xa0", b"\xe2\x80\x8b", b"\\n", b"%00")
        )
        yield from (
            more + key for more in (b"0", b"=", b".", b",", b"-", b"\xef\xbb\xbf", b"\xe2\x80\x8b", b"key=", b"Key ")
        )
        yield from (
            key.upper(),
            key.lower(),
            key.swapcase(),
            key.title(),
            key[::-1],
            key * 2,
            b'"%s"' % key,
            b"'%s'" % key,
        )
        yield from (
            base64.b64encode(key),
            key.hex().encode(),
            quote_from_bytes(key, safe="").replace("-", "%2D").encode(),
        )
        yield from (hashlib.new(kind, key).hexdigest().encode() for kind in ("md5", "sha1", "sha256", "sha512"))
        yield hashlib.sha256(key).digest().replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"").strip()
        yield "".join(chr(ord(letter) + 0xFEE0) for letter in key.decode()).encode()  # full-width
        yield key.replace(b"a", "а".encode())  # noqa: RUF001 - Cyrillic
        yield unicodedata.normalize("NFD", key.decode().replace("e", "é")).encode()
        yield key.replace(b"e", b"\xff")
        yield key + b"0" * 7_000


def wrong_keys() -> Iterator[bytes]:
    """In the order of their likeness."""
    yield from likenesses(KEY, OTHER_KEY)
    yield from (KEY + b"," + OTHER_KEY, OTHER_KEY + b"," + KEY, KEY + b" " + OTHER_KEY, b"," + KEY, KEY + b",")
    yield from (word.encode() for word in _ANYBODYS)
    yield from (b"0" * length for length in (16, 24, 64, 1_000, 8_000))
    yield from ("ключ".encode(), "🔑".encode(), b"\xff\xfe", b"\xed\xa0\x80", b"\x80", b"\xc3\x28")
    for _ in range(40):
        yield bytes(_chance.choice(b"abcdefghijklmnopqrstuvwxyz0123456789-.") for _ in range(len(KEY)))


def _basic(pair: bytes) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(pair)


def misplaced(key: bytes) -> Iterator[Attempt]:
    """The right key, but not as one brings it."""
    yield from (Attempt((_basic(pair),)) for pair in (key, b":" + key, key + b":", b"user:" + key, b"X-API-KEY:" + key))
    for scheme in (
        b"",
        b"Basic ",
        b"Digest ",
        b"Token ",
        b"ApiKey ",
        b"Key ",
        b"AWS4-HMAC-SHA256 ",
        b"Negotiate ",
        b"Bearer:",
    ):
        yield Attempt((b"Authorization: " + scheme + key,))
    for scheme in (
        b"Bearer Bearer ",
        b"Bearer  ",
        b"Bearer\t",
        b"Bearer=",
        b"Bearer,",
        b'Bearer "',
        b"Bearer token=",
        b"BearerX ",
    ):
        yield Attempt((b"Authorization: " + scheme + key,))
    for name in [
        "api_key",
        "api-key",
        "apikey",
        "key",
        "x-api-key",
        "X-API-KEY",
        "access_token",
        "token",
        "bearer",
        "auth",
        "request_id",
    ]:
        yield Attempt(query=name.encode() + b"=" + key)
    for name in ("X-API-KEY", "api_key", "key", "token", "Authorization", "email_consumer_session", "session"):
        yield Attempt((f"Cookie: {name}=".encode() + key,))
    for name in (
        *(
            "Api-Key",
            "ApiKey",
            "X-Api-Token",
            "X-Auth-Token",
            "X-Auth-Key",
            "X-Key",
            "X-API-KEYS",
            "X-API-KEY-2",
            "XX-API-KEY",
        ),
        *("Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "X-Amz-Security-Token", "X-API.KEY"),
        *(
            "X-Forwarded-User",
            "Remote-User",
            "X-Remote-User",
            "From",
            "Referer",
            "User-Agent",
            "Origin",
        ),
    ):
        yield Attempt((f"{name}: ".encode() + key,))
        yield Attempt((f"{name}: Bearer ".encode() + key,))
    for first in (b"wrong", b"0", KEY[:-1], b"\xff"):  # the first counts
        yield Attempt((b"X-API-KEY: " + first, b"X-API-KEY: " + key))
        yield Attempt((b"X-API-KEY: " + first, b"Authorization: Bearer " + key))
        yield Attempt((b"Authorization: Bearer " + first, b"Authorization: Bearer " + key))
        yield Attempt((b"Authorization: Basic " + first, b"Authorization: Bearer " + key))


def sessions() -> Iterator[Attempt]:
    """Cookies without a session, and headers that some proxies use for authentication."""
    for value in (b"", b"0", b"1", b"true", b"null", b"\xff", b'""', b"%00", b"A" * 43, b"../" * 10, b"a" * 4_000):
        yield Attempt((b"Cookie: email_consumer_session=" + value,))
        yield Attempt(
            (b"Cookie: email_consumer_session=" + value + b"; email_consumer_session=x", b"Sec-Fetch-Site: same-origin")
        )
    for header in (
        *(
            b"X-Forwarded-For: 127.0.0.1",
            b"X-Real-IP: 127.0.0.1",
            b"Forwarded: for=127.0.0.1;host=localhost;proto=https",
        ),
        *(
            b"X-Original-URL: /health",
            b"X-Rewrite-URL: /health",
            b"X-HTTP-Method-Override: OPTIONS",
            b"X-Forwarded-Host: localhost",
        ),
        *(b"Origin: null", b"Sec-Fetch-Site: same-origin", b"X-Requested-With: XMLHttpRequest", b"Upgrade: websocket"),
        *(
            b"Authorization:",
            b"Authorization: Bearer",
            b"Authorization: Bearer ",
            b"X-API-KEY:",
            b"Cookie:",
            b"X-API-KEY: \t",
        ),
        *(b"X-Accel-Redirect: /v1/suppressions", b"Connection: X-API-KEY", b"Range: bytes=0-", b"If-None-Match: *"),
    ):
        yield Attempt((header,))


def attempts() -> list[Attempt]:
    """All of them, none twice."""
    keys = list(dict.fromkeys(wrong_keys()))
    by_key = [Attempt((b"X-API-KEY: " + key,)) for key in keys]
    by_key += [Attempt((b"Authorization: Bearer " + key,)) for key in keys[::3]]
    return list(dict.fromkeys(itertools.chain(by_key, misplaced(KEY), misplaced(OTHER_KEY), sessions())))
