"""AWS Signature Version 4 of a JSON POST to one fixed URL.

botocore's own signer costs more than the rest of the request, since it derives a signing key for each one. The key
depends on the secret, the day, the region and the service alone, so it is kept here, and what the requests of one second
have in common is put together once. Tests hold both signers equal.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from botocore.credentials import ReadOnlyCredentials

from email_consumer.ses.transport import Headers

_SERVICE = "ses"
_ALGORITHM = "AWS4-HMAC-SHA256"
_BLOCK = 64
"""Bytes that SHA-256 takes at a time."""
_CONTENT_TYPE = "application/json"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class RequestSigner:
    """Signs POSTs to `url` for SES in `region`."""

    def __init__(self, *, url: str, region: str, unsigned: Mapping[str, str] | None = None) -> None:
        """`unsigned`: further headers that every request has."""
        parts = urlsplit(url)
        self._host = parts.netloc.lower().removesuffix(f":{_DEFAULT_PORTS[parts.scheme]}")
        self._path = quote(
            parts.path, safe="/~"
        )  # once more, though it is quoted in the URL: so says the specification
        self._region = region
        self._unsigned = unsigned or {}
        self._key_of: tuple[str, str | None] = ("", None)
        self._key = b""
        self._frame_of: tuple[ReadOnlyCredentials | None, int] = (None, 0)

    def headers(self, credentials: ReadOnlyCredentials, body: bytes, now: float) -> Headers:
        """The headers to send with `body` at Unix time `now`: all that is signed, the signature, and what is not signed."""
        second = int(now)
        if self._frame_of != (credentials, second):
            self._frame = self._framed(credentials, second)
            self._frame_of = (credentials, second)
        frame = self._frame
        canonical = frame.canonical + sha256(body).hexdigest()
        to_sign = frame.to_sign + sha256(canonical.encode()).hexdigest()
        return Headers(frame.headers, frame.authorization + frame.hmac.hexdigest(to_sign.encode()))

    def _framed(self, credentials: ReadOnlyCredentials, second: int) -> "_Frame":
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        scope = f"{stamp[:8]}/{self._region}/{_SERVICE}/aws4_request"
        signed = "content-type;host;x-amz-date"
        canonical = f"POST\n{self._path}\n\ncontent-type:{_CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{stamp}\n"
        headers = {"Content-Type": _CONTENT_TYPE, "Host": self._host, "X-Amz-Date": stamp, **self._unsigned}
        if credentials.token:
            signed += ";x-amz-security-token"
            canonical += f"x-amz-security-token:{credentials.token}\n"
            headers["X-Amz-Security-Token"] = credentials.token
        return _Frame(
            headers,
            f"{canonical}\n{signed}\n",
            f"{_ALGORITHM}\n{stamp}\n{scope}\n",
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature=",
            _Hmac(self._signing_key(stamp[:8], credentials.secret_key)),
        )

    def _signing_key(self, day: str, secret_key: str | None) -> bytes:
        if self._key_of != (day, secret_key):
            key = f"AWS4{secret_key}".encode()
            for part in (day, self._region, _SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key_of, self._key = (day, secret_key), key
        return self._key


class _Frame(NamedTuple):
    """What the requests of one second have in common; a hash is appended to each text."""

    headers: dict[str, str]
    canonical: str
    to_sign: str
    authorization: str
    hmac: "_Hmac"


class _Hmac:
    """HMAC-SHA256 (RFC 2104) with the key hashed beforehand, which takes less than half as long as `hmac.digest`."""

    def __init__(self, key: bytes) -> None:
        """`key`: at most 64 bytes."""
        padded = key.ljust(_BLOCK, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in padded))

    def hexdigest(self, message: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.hexdigest()
