"""Answers over aiohttp, bounded in bytes, with the encoding undone that a proxy on the way may have given them."""

import aiohttp

from email_consumer.aws.encoding import EncodingError, decoded

MOST = 2**16
"""Bytes of an answer's body, as they come and as they are read."""


class BoundedResponse(aiohttp.ClientResponse):
    """For sessions that ask for `identity` and don't decompress automatically (`auto_decompress=False`)."""

    MOST = MOST

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            aiohttp.ClientPayloadError: it is too large, cut off, or in an encoding that can't be undone.
        """
        if self._body is None:
            try:
                encodings = ",".join(self.headers.getall("Content-Encoding", ()))
                self._body = decoded(await self._received(), encodings, self.MOST)
            except EncodingError as error:
                self.close()
                raise aiohttp.ClientPayloadError(str(error)) from error
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


class LargeBoundedResponse(BoundedResponse):
    """For answers that carry ten messages of SQS."""

    MOST = 2**24
