"""Downloads a certificate over HTTPS: no redirects, limited in size and time."""

import aiohttp

from email_consumer.sns.certificates import DownloadError

_MAX_SIZE = 2**16
_TIMEOUT = aiohttp.ClientTimeout(total=5)
"""Seconds; SNS waits 15 for our response."""
_OK = 200


class CertificateDownload:
    """Call it with a URL that was checked (see `verifier`). Keeps no connections between downloads."""

    def __init__(self, connector: aiohttp.BaseConnector | None = None) -> None:
        """`connector` controls name resolution and TLS trust; None is aiohttp's default."""
        self._connector = connector

    async def __call__(self, url: str) -> bytes:
        """The file's content.

        Raises:
            DownloadError: any response but a small file, without redirects.
        """
        try:
            async with (
                aiohttp.ClientSession(
                    connector=self._connector,
                    connector_owner=self._connector is None,
                    timeout=_TIMEOUT,
                    trust_env=True,  # HTTPS_PROXY
                    cookie_jar=aiohttp.DummyCookieJar(),
                ) as session,
                session.get(url, allow_redirects=False) as response,
            ):
                if response.status != _OK:
                    raise DownloadError(f"HTTP {response.status}")
                return await _bounded(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DownloadError(f"{type(error).__name__}: {error}".rstrip(": ")) from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _MAX_SIZE:
            raise DownloadError(f"more than {_MAX_SIZE} bytes")
    return bytes(content)
