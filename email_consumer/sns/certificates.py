"""The certificates that SNS signs with: fetched once and kept until they expire, across restarts.

A URL comes here before its message is proved genuine. What is known costs strangers nothing and can't be taken away by
them; what is not known waits its turn (see `certificate_queue`). Whatever is refused here may be asked for again: 429 says
so to SNS, which repeats it like 5xx (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html), and a
stranger with an invented name must not look like a failure of ours.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from cachetools import LRUCache, TTLCache
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from email_consumer.sns.certificate_queue import CertificateQueue, StillWaitingError
from email_consumer.sns.refusal import AGAIN, Refusal

DAY = 86_400.0
_FAILURE_TTL = 15.0
"""Seconds; less than the 20 after which SNS tries again."""
_KEPT = 64
"""SNS has one or two in a region at a time."""
_FAILURES = 1_000
_PATIENCE = 6.0
"""Seconds; SNS waits 15 for our answer, and the inbox may take 8 of them."""

Download = Callable[[str], Awaitable[bytes]]
"""Fetches a URL; raises `DownloadError`."""


class DownloadError(Exception):
    """The certificate could not be fetched; the text says why."""


class Shelf(Protocol):
    """Where certificates outlive the process."""

    async def load(self) -> dict[str, x509.Certificate]:
        """All that are there, by URL."""

    async def keep(self, url: str, certificate: x509.Certificate) -> None:
        """Put one there."""


class Certificates:
    """By URL; `open` it first. To be used by one event loop."""

    def __init__(self, download: Download, shelf: Shelf, *, failure_ttl: float = _FAILURE_TTL) -> None:
        """`failure_ttl` is how long it is remembered that there was none, in seconds."""
        self._download = download
        self._shelf = shelf
        self._known: LRUCache[str, x509.Certificate] = LRUCache(_KEPT)
        self._failed: TTLCache[str, str] = TTLCache(_FAILURES, failure_ttl)
        self._queue = CertificateQueue(self._load)

    async def open(self) -> None:
        """Take what was kept."""
        self._known.update(await self._shelf.load())

    async def public_key(self, url: str) -> RSAPublicKey:
        """The key in the certificate at `url`, which must have been checked.

        Raises:
            Refusal: it can't be had now (SNS will try again), or it is no valid certificate.
        """
        if url not in self._known and url not in self._failed:
            try:
                await self._queue.fetched(url, _PATIENCE)
            except StillWaitingError:
                raise _unreachable("too many different certificates are asked for") from None
        certificate = self._known.get(url)
        if certificate is None:
            raise _unreachable(self._failed.get(url, "too many different certificates are asked for"))
        return usable_key(certificate)

    async def _load(self, url: str) -> None:
        try:
            certificate = x509.load_pem_x509_certificate(await self._download(url))
        except Exception as error:  # noqa: BLE001 - whatever it is: the others wait for their turn
            self._failed[url] = str(error)
        else:
            self._known[url] = certificate
            await self._shelf.keep(url, certificate)


def usable_key(certificate: x509.Certificate) -> RSAPublicKey:
    """The certificate's key, if it is valid at this moment.

    Raises:
        Refusal: it isn't, or the key is not an RSA key. Our clock may be wrong, so SNS may try again.
    """
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        reason = f"SNS's certificate is not valid at {now:%Y-%m-%d %H:%M} UTC; check this machine's clock"
        raise Refusal("certificate", reason, AGAIN)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise Refusal("certificate", "SNS's certificate holds no RSA key", 403)
    return key


def _unreachable(reason: str) -> Refusal:
    text = f"SNS's certificate can't be fetched ({reason}); this machine must reach sns.<region>.amazonaws.com by HTTPS"
    return Refusal("certificate", text, AGAIN)
