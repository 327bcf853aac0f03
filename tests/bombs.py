"""Payloads that hold, or announce, far more values than a mail can have, up to the sizes that NATS and the API take."""

import base64
import json

import msgpack
import orjson

from email_consumer.message.wire_format import MAX_ELEMENTS

MEGABYTE = 1_000_000
_MAIL = {"uuid": "u-1", "email": "you@example.com", "subject": "Hello", "body": "<p>Hi</p>"}

BOMBS: dict[str, bytes] = {
    "a million wrong addresses": msgpack.packb(_MAIL | {"cc": [7] * MEGABYTE}),
    "a million empty maps": b"\xdd\x00\x10\x00\x00" + b"\x80" * MEGABYTE,
    "a million empty lists in a map": msgpack.packb(_MAIL | {"x": [[]] * MEGABYTE}),
    "headers": msgpack.packb(_MAIL | {"headers": {n: n for n in range(MEGABYTE // 9)}}),
    "tags": msgpack.packb(_MAIL | {"tags": {str(n): "x y" for n in range(MEGABYTE // 10)}}),
    "attachments": msgpack.packb(_MAIL | {"attachments": [{}] * MEGABYTE}),
    "keys": msgpack.packb(_MAIL | {f"key {n}": n for n in range(MEGABYTE // 14)}),
    "timestamps": msgpack.packb({"x": [msgpack.Timestamp(1, 1)] * (MEGABYTE // 10)}),
    "lists that announce what never comes": b"\xdc\xff\xff" * (MEGABYTE // 3),
    "few lists that announce as much": b"\xdc\x27\x10" * 400,
    "so few that nobody counts": b"\xdc\x03\xe7" * 333,
    "one list of four billion": b"\xdd\xff\xff\xff\xff",
    "maps that announce what never comes": b"\xde\xff\xff" * (MEGABYTE // 3),
    "lists in lists": b"\x91" * MEGABYTE,
    "maps in maps": b"\x81\x01" * (MEGABYTE // 2),
    "json: wrong addresses": json.dumps(_MAIL | {"cc": [7] * (MEGABYTE // 3)}).encode(),
    "json: empty maps": b"[" + b"{}," * (MEGABYTE // 3) + b"{}]",
    "json: lists in lists": b"[" * MEGABYTE,
    "json: maps in maps": b'{"":' * (MEGABYTE // 4),
    "json: texts": b"[" + b'"",' * (MEGABYTE // 3) + b'""]',
    "json: texts and nothing else": b"[" + b'""' * (MEGABYTE // 2),
    "json: commas": b"[" + b"," * MEGABYTE,
    "json: closed and never opened": b"[" + b",]" * (MEGABYTE // 2),
    "json: an open text of quotes": b'["' + b'\\"' * (MEGABYTE // 2),
    "json: backslashes": b'["' + b"\\" * MEGABYTE + b'"' + b"," * MAX_ELEMENTS,
    "json: keys": orjson.dumps({f"key {n}": n for n in range(MEGABYTE // 18)}),
}
BOMBS |= {
    f"base64: {name}": base64.b64encode(BOMBS[name][:700_000])
    for name in ("a million wrong addresses", "lists in lists", "few lists that announce as much")
}

LARGEST_BODY = 16 * 2**20


def _repeated(begin: bytes, piece: bytes, end: bytes = b"") -> bytes:
    """As long as a request may be."""
    return begin + piece * ((LARGEST_BODY - len(begin) - len(end)) // len(piece)) + end


_MESSAGE = b'{"messages":[{"subject":"s","content":"c","emails":["a@example.com"],'
REQUESTS: dict[str, bytes] = {
    "wrong messages": _repeated(b'{"messages":[', b"7,", b"7]}"),
    "empty messages": _repeated(b'{"messages":[', b"{},", b"{}]}"),
    "wrong recipients": _repeated(b'{"messages":[{"emails":[', b"7,", b"7]}]}"),
    "recipients": _repeated(b'{"messages":[{"emails":[', b'"",', b'""]}]}'),
    "headers": _repeated(_MESSAGE + b'"headers":{', b'"a":[],', b'"a":[]}}]}'),
    "attachments": _repeated(_MESSAGE + b'"attachments":[', b"{},", b"{}]}]}"),
    "unknown values": _repeated(_MESSAGE + b'"x":[', b"[],", b"[]]}]}"),
    "lists in lists": _repeated(b"", b"["),
    "maps in maps": _repeated(b"", b'{"":'),
    "quotes": _repeated(b'{"messages":"', b'\\"', b'"}'),
    "texts": _repeated(b"", b'""'),
    "commas": _repeated(b"[", b","),
    "one number": _repeated(b"[", b"9", b"]"),
}
"""Bodies for `POST /v1/messages`."""
