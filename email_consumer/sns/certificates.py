"""SNS's signing certificates: fetched once and kept until they expire, across restarts.

A URL comes here before its message is proven genuine. Known certificates are always available, and strangers can't evict
them; unknown ones are queued (see `certificate_queue`). Refusals use status 429: SNS retries it like 5xx
(https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html), and a stranger with invented names must not
look like a failure of ours.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from cachetools import LRUCache, TTLCache

from email_consumer.sns.certificate_queue import CertificateQueue, StillWaitingError
from email_consumer.sns.errors import RETRY_LATER, MessageRefusedError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

DAY = 86_400.0
_FAILURE_TTL = 15.0
"""Seconds; less than the 20 after which SNS retries."""
_KEPT = 64
"""SNS uses one or two per region at a time."""
_FAILURES = 1_000
_TIMEOUT = 6.0
"""Seconds; SNS waits 15 for our response, and the inbox may take 8 of them."""

Download = Callable[[str], Awaitable[bytes]]
"""Fetches a URL; raises `DownloadError`."""


class DownloadError(Exception):
    """The certificate could not be fetched; the text says why."""


class CertificateStore(Protocol):
    """Persistent storage of certificates."""

    async def load(self) -> "dict[str, x509.Certificate]":
        """All stored certificates, by URL."""

    async def keep(self, url: str, certificate: "x509.Certificate") -> None:
        """Store one."""


class Certificates:
    """By URL; call `load` first. For one event loop."""

    def __init__(self, download: Download, store: CertificateStore, *, failure_ttl: float = _FAILURE_TTL) -> None:
        """`failure_ttl`: seconds for which a failed download is remembered."""
        self._download = download
        self._store = store
        self._known: LRUCache[str, x509.Certificate] = LRUCache(_KEPT)
        self._failed: TTLCache[str, str] = TTLCache(_FAILURES, failure_ttl, timer=time.monotonic)
        self._queue = CertificateQueue(self._fetch)

    async def load(self) -> None:
        """Load the stored certificates."""
        self._known.update(await self._store.load())

    async def public_key(self, url: str) -> "RSAPublicKey":
        """The key in the certificate at `url`, which must have been checked.

        Raises:
            MessageRefusedError: it is unavailable now (SNS will retry), or not a valid certificate.
        """
        if url not in self._known and url not in self._failed:
            try:
                await self._queue.fetched(url, _TIMEOUT)
            except StillWaitingError:
                raise _unreachable("too many different certificates are requested") from None
        certificate = self._known.get(url)
        if certificate is None:
            raise _unreachable(self._failed.get(url, "too many different certificates are requested"))
        return usable_key(certificate)

    async def _fetch(self, url: str) -> None:
        from cryptography import x509  # noqa: PLC0415 - see the package

        try:
            certificate = x509.load_pem_x509_certificate(await self._download(url))
        except Exception as error:  # noqa: BLE001 - whatever it is, other requests must go on
            self._failed[url] = str(error)
        else:
            self._known[url] = certificate
            await self._store.keep(url, certificate)


def usable_key(certificate: "x509.Certificate") -> "RSAPublicKey":
    """The certificate's key, if it is valid at this moment.

    Raises:
        MessageRefusedError: it isn't, or the key is not an RSA key. Our clock may be wrong, so SNS may retry.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415 - see the package

    now = datetime.fromtimestamp(time.time(), UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        reason = f"SNS's certificate is not valid at {now:%Y-%m-%d %H:%M} UTC; check this machine's clock"
        raise MessageRefusedError("certificate", reason, RETRY_LATER)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise MessageRefusedError("certificate", "SNS's certificate has no RSA key", 403)
    return key


def _unreachable(reason: str) -> MessageRefusedError:
    text = (
        f"SNS's certificate can't be fetched ({reason}); this machine needs HTTPS access to sns.<region>.amazonaws.com"
    )
    return MessageRefusedError("certificate", text, RETRY_LATER)
