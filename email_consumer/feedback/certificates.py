"""The certificates that SNS signs with: downloaded once, kept for a day; failures are kept only for seconds.

An URL comes here before its message is proved genuine, so what strangers can make us do is bounded: one download at a
time per URL, and few per minute in all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiolimiter import AsyncLimiter
from cachetools import TTLCache
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from email_consumer.feedback.refusal import Refusal

DAY = 86_400.0
_FAILURE_TTL = 15.0
"""Seconds; less than the 20 after which SNS tries again."""
_KEPT = 16
_PER_MINUTE = 10

Download = Callable[[str], Awaitable[bytes]]
"""Fetches a URL; raises `DownloadError`."""


class DownloadError(Exception):
    """The certificate could not be fetched; the text says why."""


class Certificates:
    """By URL. To be used by one event loop."""

    def __init__(self, download: Download, *, ttl: float = DAY, failure_ttl: float = _FAILURE_TTL) -> None:
        """`ttl` and `failure_ttl` are how long a certificate, or that there was none, is remembered, in seconds."""
        self._download = download
        self._known: TTLCache[str, x509.Certificate] = TTLCache(_KEPT, ttl)
        self._failed: TTLCache[str, str] = TTLCache(_KEPT, failure_ttl)
        self._under_way: dict[str, asyncio.Task[x509.Certificate]] = {}
        self._limit = AsyncLimiter(_PER_MINUTE, 60)

    async def public_key(self, url: str) -> RSAPublicKey:
        """The key in the certificate at `url`, which must have been checked.

        Raises:
            Refusal: it can't be had now (SNS will try again), or it is no valid certificate.
        """
        certificate = self._known.get(url)
        if certificate is None:
            certificate = await self._fetch(url)
        return usable_key(certificate)

    async def _fetch(self, url: str) -> x509.Certificate:
        if url in self._failed:
            raise _unreachable(self._failed[url])
        task = self._under_way.get(url)
        if task is None:
            if not self._limit.has_capacity():
                raise _unreachable("too many different certificates were asked for within a minute")
            task = self._under_way[url] = asyncio.create_task(self._load(url), name="certificate")
        try:
            # Shielded: whoever gives up waiting must not end it for the others.
            return await asyncio.shield(task)
        except (DownloadError, ValueError) as error:
            raise _unreachable(str(error)) from error

    async def _load(self, url: str) -> x509.Certificate:
        try:
            async with self._limit:
                pem = await self._download(url)
            self._known[url] = certificate = x509.load_pem_x509_certificate(pem)
        except (DownloadError, ValueError) as error:
            self._failed[url] = str(error)
            raise
        finally:
            del self._under_way[url]
        return certificate


def usable_key(certificate: x509.Certificate) -> RSAPublicKey:
    """The certificate's key, if it is valid at this moment.

    Raises:
        Refusal: it isn't, or the key is not an RSA key. Our clock may be at fault, so SNS may try again.
    """
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        reason = f"SNS's certificate is not valid at {now:%Y-%m-%d %H:%M} UTC; check this machine's clock"
        raise Refusal("certificate", reason, 503)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise Refusal("certificate", "SNS's certificate holds no RSA key", 403)
    return key


def _unreachable(reason: str) -> Refusal:
    text = f"SNS's certificate can't be fetched ({reason}); this machine must reach sns.<region>.amazonaws.com by HTTPS"
    return Refusal("certificate", text, 503)
