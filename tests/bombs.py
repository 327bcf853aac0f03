"""Payloads that hold, or announce, far more values than a mail can have, up to the sizes that NATS and the API take.

Each is made when it is called for: together they take seconds and hundreds of megabytes.
"""

import base64
import json
from collections.abc import Callable
from functools import partial

import msgpack
import orjson

from email_consumer.message.wire_format import MAX_ELEMENTS

MEGABYTE = 1_000_000
_MAIL = {"uuid": "u-1", "email": "you@example.com", "subject": "Hello", "body": "<p>Hi</p>"}


def _in_base64(bomb: Callable[[], bytes]) -> bytes:
    return base64.b64encode(bomb()[:700_000])


BOMBS: dict[str, Callable[[], bytes]] = {
    "a million wrong addresses": lambda: msgpack.packb(_MAIL | {"cc": [7] * MEGABYTE}),
    "a million empty maps": lambda: b"\xdd\x00\x10\x00\x00" + b"\x80" * MEGABYTE,
    "a million empty lists in a map": lambda: msgpack.packb(_MAIL | {"x": [[]] * MEGABYTE}),
    "headers": lambda: msgpack.packb(_MAIL | {"headers": {n: n for n in range(MEGABYTE // 9)}}),
    "tags": lambda: msgpack.packb(_MAIL | {"tags": {str(n): "x y" for n in range(MEGABYTE // 10)}}),
    "attachments": lambda: msgpack.packb(_MAIL | {"attachments": [{}] * MEGABYTE}),
    "keys": lambda: msgpack.packb(_MAIL | {f"key {n}": n for n in range(MEGABYTE // 14)}),
    "timestamps": lambda: msgpack.packb({"x": [msgpack.Timestamp(1, 1)] * (MEGABYTE // 10)}),
    "lists that announce what never comes": lambda: b"\xdc\xff\xff" * (MEGABYTE // 3),
    "few lists that announce as much": lambda: b"\xdc\x27\x10" * 400,
    "so few that nobody counts": lambda: b"\xdc\x03\xe7" * 333,
    "one list of four billion": lambda: b"\xdd\xff\xff\xff\xff",
    "maps that announce what never comes": lambda: b"\xde\xff\xff" * (MEGABYTE // 3),
    "lists in lists": lambda: b"\x91" * MEGABYTE,
    "maps in maps": lambda: b"\x81\x01" * (MEGABYTE // 2),
    "json: wrong addresses": lambda: json.dumps(_MAIL | {"cc": [7] * (MEGABYTE // 3)}).encode(),
    "json: empty maps": lambda: b"[" + b"{}," * (MEGABYTE // 3) + b"{}]",
    "json: lists in lists": lambda: b"[" * MEGABYTE,
    "json: maps in maps": lambda: b'{"":' * (MEGABYTE // 4),
    "json: texts": lambda: b"[" + b'"",' * (MEGABYTE // 3) + b'""]',
    "json: texts and nothing else": lambda: b"[" + b'""' * (MEGABYTE // 2),
    "json: commas": lambda: b"[" + b"," * MEGABYTE,
    "json: closed and never opened": lambda: b"[" + b",]" * (MEGABYTE // 2),
    "json: an open text of quotes": lambda: b'["' + b'\\"' * (MEGABYTE // 2),
    "json: backslashes": lambda: b'["' + b"\\" * MEGABYTE + b'"' + b"," * MAX_ELEMENTS,
    "json: keys": lambda: orjson.dumps({f"key {n}": n for n in range(MEGABYTE // 18)}),
}
BOMBS |= {
    f"base64: {name}": partial(_in_base64, BOMBS[name])
    for name in ("a million wrong addresses", "lists in lists", "few lists that announce as much")
}

LARGEST_BODY = 16 * 2**20


def _repeated(begin: bytes, piece: bytes, end: bytes = b"") -> bytes:
    """As long as a request may be."""
    return begin + piece * ((LARGEST_BODY - len(begin) - len(end)) // len(piece)) + end


_MESSAGE = b'{"messages":[{"subject":"s","content":"c","emails":["a@example.com"],'
REQUESTS: dict[str, Callable[[], bytes]] = {
    "wrong messages": lambda: _repeated(b'{"messages":[', b"7,", b"7]}"),
    "empty messages": lambda: _repeated(b'{"messages":[', b"{},", b"{}]}"),
    "wrong recipients": lambda: _repeated(b'{"messages":[{"emails":[', b"7,", b"7]}]}"),
    "recipients": lambda: _repeated(b'{"messages":[{"emails":[', b'"",', b'""]}]}'),
    "headers": lambda: _repeated(_MESSAGE + b'"headers":{', b'"a":[],', b'"a":[]}}]}'),
    "attachments": lambda: _repeated(_MESSAGE + b'"attachments":[', b"{},", b"{}]}]}"),
    "unknown values": lambda: _repeated(_MESSAGE + b'"x":[', b"[],", b"[]]}]}"),
    "lists in lists": lambda: _repeated(b"", b"["),
    "maps in maps": lambda: _repeated(b"", b'{"":'),
    "quotes": lambda: _repeated(b'{"messages":"', b'\\"', b'"}'),
    "texts": lambda: _repeated(b"", b'""'),
    "commas": lambda: _repeated(b"[", b","),
    "one number": lambda: _repeated(b"[", b"9", b"]"),
}
"""Bodies for `POST /v1/messages`."""
