"""Answers over HTTP, bounded in bytes, with the encoding undone that a proxy on the way may have given them."""

import zlib

import aiohttp

_MOST_ENCODINGS = 3


class BoundedResponse(aiohttp.ClientResponse):
    """For sessions that ask for `identity` and don't decompress automatically (`auto_decompress=False`)."""

    MOST = 2**16
    """Bytes, as they come and as they are read."""

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            aiohttp.ClientPayloadError: it is too large, cut off, or in an encoding that can't be undone.
        """
        if self._body is None:
            try:
                self._body = _decoded(await self._received(), self._encodings(), self.MOST)
            except BaseException:
                self.close()
                raise
        return await super().read()

    async def _received(self) -> bytes:
        received = bytearray()
        while chunk := await self.content.readany():
            received += chunk
            if len(received) > self.MOST:
                raise aiohttp.ClientPayloadError(f"an answer of more than {self.MOST} bytes")
        return bytes(received)

    def _encodings(self) -> list[str]:
        """The last applied comes first."""
        fields = ",".join(self.headers.getall("Content-Encoding", ()))
        return [name for name in reversed(fields.lower().replace(" ", "").split(",")) if name not in {"", "identity"}]


class LargeBoundedResponse(BoundedResponse):
    """For answers that carry ten messages of SQS."""

    MOST = 2**24


def _decoded(body: bytes, encodings: list[str], most: int) -> bytes:
    if len(encodings) > _MOST_ENCODINGS:
        raise aiohttp.ClientPayloadError(f"an answer encoded {len(encodings)} times")
    for encoding in encodings:
        body = _inflated(body, encoding, most)
    return body


def _inflated(body: bytes, encoding: str, most: int) -> bytes:
    match encoding:
        case "gzip" | "x-gzip":
            window = zlib.MAX_WBITS | 16
        case "deflate":  # zlib's format by the standard; without its header by some servers
            window = zlib.MAX_WBITS if body[:1] == b"\x78" else -zlib.MAX_WBITS
        case _:
            raise aiohttp.ClientPayloadError(
                f"an answer encoded as {encoding[:20]!r}, though it was asked for as it is"
            )
    inflater = zlib.decompressobj(window)
    try:
        inflated = inflater.decompress(body, most)
    except zlib.error as error:
        raise aiohttp.ClientPayloadError(f"an answer that is no {encoding}: {error}") from None
    if not inflater.eof:
        raise aiohttp.ClientPayloadError(f"an answer of more than {most} bytes, or cut off")
    return inflated
