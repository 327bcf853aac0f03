"""The forms a message may have on the wire: MessagePack, JSON, and MessagePack as base64 text (SQS carries only text)."""

import base64

import msgpack
import orjson

_FIRST_OF_MESSAGEPACK = 0x80
"""MessagePack maps and arrays begin at this byte or above it, text (ASCII) below it."""


def parse(payload: bytes) -> object:
    """The value in whichever form it came.

    No form can be taken for another: MessagePack's maps and arrays begin with a byte that no text begins with, JSON's
    with a character that base64 doesn't have.

    Raises:
        ValueError: it has none of these forms; the text says why and is safe to log.
    """
    if not payload or payload[0] >= _FIRST_OF_MESSAGEPACK:
        return _unpacked(payload)
    if payload.lstrip()[:1] in {b"{", b"["}:
        try:
            return orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error}") from None
    try:
        packed = base64.b64decode(b"".join(payload.split()), validate=True)
    except ValueError:
        raise ValueError("neither MessagePack, nor JSON, nor base64 of MessagePack") from None
    return _unpacked(packed)


def _unpacked(packed: bytes) -> object:
    try:
        return msgpack.unpackb(packed, raw=False, strict_map_key=False, timestamp=3)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException, RecursionError) as error:
        # A TypeError: a map or an array as a key. Some of msgpack's own come without a text.
        raise ValueError(f"not MessagePack: {str(error) or type(error).__name__}") from None
