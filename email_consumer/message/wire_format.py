"""The forms a message may have on the wire: MessagePack, JSON, and MessagePack as base64 text (SQS carries only text)."""

import base64

import msgpack
import orjson

from email_consumer.message.element_count import json_exceeds, packed_exceeds

MAX_ELEMENTS = 10_000
"""Keys and values of one message, nested ones included: far more than a mail needs, and few enough to look at each."""

_SMALL = 1_000
"""Bytes of a payload that can't hold too many values, and need not be counted."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIRST_OF_MESSAGEPACK = 0x80
"""MessagePack maps and arrays begin at this byte or above it, text (ASCII) below it."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class TooManyElementsError(ValueError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit:,} keys and values")


def parse(payload: bytes) -> object:
    """The value in whichever form it came.

    No form can be taken for another: MessagePack's maps and arrays begin with a byte that no text begins with, JSON's
    with a character that base64 doesn't have.

    Raises:
        ValueError: it is not in a supported form; the text says why and is safe to log.
    """
    if payload.startswith(_BYTE_ORDER_MARK):  # of MessagePack it would be a number, which is no message
        return parse_json(payload)
    if not payload or payload[0] >= _FIRST_OF_MESSAGEPACK:
        return _unpacked(payload)
    if payload.lstrip()[:1] in {b"{", b"["}:
        return parse_json(payload)
    try:
        packed = from_base64(payload)
    except ValueError:
        raise ValueError("neither MessagePack, nor JSON, nor base64 of MessagePack") from None
    return _unpacked(packed)


def parse_json(document: bytes, max_elements: int = MAX_ELEMENTS) -> object:
    """The value of a JSON document, a byte order mark in front or not.

    Raises:
        ValueError: it isn't JSON, or has too many keys and values; the text is safe to log.
    """
    document = document.removeprefix(_BYTE_ORDER_MARK)
    if json_exceeds(document, max_elements):
        raise TooManyElementsError(max_elements)
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None


def from_base64(text: str | bytes) -> bytes:
    """Bytes of base64 in either alphabet, in one line or many, padded or not.

    Raises:
        ValueError: it is not base64.
    """
    encoded = text.encode() if isinstance(text, str) else text
    digits = b"".join(encoded.split()).translate(_URL_SAFE).rstrip(b"=")
    return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)


def _unpacked(packed: bytes) -> object:
    if len(packed) > _SMALL and packed_exceeds(packed, MAX_ELEMENTS):
        raise TooManyElementsError(MAX_ELEMENTS)
    most = min(len(packed), MAX_ELEMENTS)
    try:
        return msgpack.unpackb(
            packed,
            raw=False,
            strict_map_key=False,
            timestamp=0,  # as datetime some would fail the whole message, even where nobody reads them
            max_array_len=most,  # room for what is announced is made before anything of it has come
            max_map_len=most,
        )
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException, RecursionError) as error:
        # A TypeError: a map or an array as a key. Some of msgpack's own come without a text.
        raise ValueError(f"not MessagePack: {str(error) or type(error).__name__}") from None
