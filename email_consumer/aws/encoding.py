"""Undoes the encodings that something on the way may give an answer, though it was asked for as it is."""

import zlib

_MOST_ENCODINGS = 3


class EncodingError(Exception):
    """The encoding can't be undone, or what it holds is too large."""


def decoded(body: bytes, encodings: str, most: int) -> bytes:
    """The body without its encodings, as `Content-Encoding` lists them: the last applied comes last.

    Raises:
        EncodingError: it would be larger than `most` bytes, is cut off, or is in an encoding that can't be undone.
    """
    names = [name for name in encodings.lower().replace(" ", "").split(",") if name not in {"", "identity"}]
    if len(names) > _MOST_ENCODINGS:
        raise EncodingError(f"an answer encoded {len(names)} times")
    for name in reversed(names):
        body = _inflated(body, name, most)
    return body


def _inflated(body: bytes, encoding: str, most: int) -> bytes:
    match encoding:
        case "gzip" | "x-gzip":
            window = zlib.MAX_WBITS | 16
        case "deflate":  # zlib's format by the standard; without its header by some servers
            window = zlib.MAX_WBITS if body[:1] == b"\x78" else -zlib.MAX_WBITS
        case _:
            raise EncodingError(f"an answer encoded as {encoding[:20]!r}, though it was asked for as it is")
    inflater = zlib.decompressobj(window)
    try:
        inflated = inflater.decompress(body, most)
    except zlib.error as error:
        raise EncodingError(f"an answer that is no {encoding}: {error}") from None
    if not inflater.eof:
        raise EncodingError(f"an answer of more than {most} bytes, or cut off")
    return inflated
