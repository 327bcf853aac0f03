"""Verifies Signature Version 4 of a request against the sandbox's test credentials.

Plain code rather than botocore's signer: the endpoint sits in throughput tests, and a cached signing key makes the
check a few SHA-256 rounds. A test compares both.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from urllib.parse import quote

from aiohttp import web

from ses_sandbox.aws.errors import AwsError

_ALGORITHM = "AWS4-HMAC-SHA256"
_MAX_SKEW = 300
"""Seconds the signer's clock may differ from ours."""


@dataclass(slots=True)
class Credentials:
    """The accepted key pair; changed over HTTP to rotate keys or let them expire."""

    access_key: str
    secret_key: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an `Authorization` header."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: str
    signature: str


class SignatureCheck:
    """Checks that a request was signed with the sandbox's credentials, for the service and region it reached."""

    def __init__(self, credentials: Credentials, region: str | None, clock: Callable[[], float] = time) -> None:
        """`region` is the only one accepted; None accepts any."""
        self.credentials = credentials
        self._region = region
        self._clock = clock

    def verify(self, request: web.Request, body: bytes, service: str) -> str:
        """Return the region the request is signed for.

        Raises:
            AwsError: with the code real AWS answers, if the signature is missing, foreign, wrong or too old.
        """
        authorization = _parse_authorization(request.headers.get("Authorization"))
        moment = request.headers.get("X-Amz-Date", "")
        self._check_scope(authorization, service, moment)
        string_to_sign = "\n".join(
            (
                _ALGORITHM,
                moment,
                f"{authorization.date}/{authorization.region}/{service}/aws4_request",
                hashlib.sha256(_canonical_request(request, body, authorization.signed_headers)).hexdigest(),
            )
        )
        key = _signing_key(self.credentials.secret_key, authorization.date, authorization.region, service)
        expected = hmac.digest(key, string_to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), authorization.signature.encode()):
            raise AwsError("InvalidSignatureException")
        if self.credentials.expired:
            raise AwsError("ExpiredTokenException")
        return authorization.region

    def _check_scope(self, authorization: Authorization, service: str, moment: str) -> None:
        if not hmac.compare_digest(authorization.access_key.encode(), self.credentials.access_key.encode()):
            raise AwsError("UnrecognizedClientException")
        if authorization.service != service:
            raise AwsError("InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'.")
        if self._region is not None and authorization.region != self._region:
            raise AwsError(
                "InvalidSignatureException",
                f"Credential should be scoped to a valid region, not '{authorization.region}'.",
            )
        signed_at = _unix_time(moment)
        if not moment.startswith(authorization.date):
            raise AwsError("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD of the date.")
        skew = self._clock() - signed_at
        if skew > _MAX_SKEW:
            raise AwsError("InvalidSignatureException", f"Signature expired: {moment} is more than 5 min. ago")
        if skew < -_MAX_SKEW:
            raise AwsError(
                "InvalidSignatureException", f"Signature not yet current: {moment} is still more than 5 min. ahead"
            )


def _parse_authorization(header: str | None) -> Authorization:
    if not header:
        raise AwsError("MissingAuthenticationTokenException")
    algorithm, _, rest = header.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = fields.get("Credential", "").split("/")
    if algorithm != _ALGORITHM or len(scope) != 5 or not {"SignedHeaders", "Signature"} <= fields.keys():  # noqa: PLR2004
        raise AwsError("IncompleteSignatureException")
    access_key, date, region, service, _ = scope
    return Authorization(access_key, date, region, service, fields["SignedHeaders"], fields["Signature"])


@lru_cache(maxsize=64)
def _unix_time(moment: str) -> float:
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise AwsError("IncompleteSignatureException", f"Date must be in ISO-8601 basic format: '{moment}'.") from None


@lru_cache(maxsize=64)
def _signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_request(request: web.Request, body: bytes, signed_headers: str) -> bytes:
    path, _, query = request.raw_path.partition("?")
    headers = request.headers
    lines = [request.method, _canonical_path(path), "&".join(sorted(_canonical_parameters(query)))]
    for name in signed_headers.split(";"):
        values = headers.getall(name, [])
        lines.append(f"{name}:{','.join(' '.join(value.split()) for value in values)}")
    lines += ["", signed_headers, hashlib.sha256(body).hexdigest()]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@lru_cache(maxsize=64)
def _canonical_path(path: str) -> str:
    # Every service but S3 signs the path encoded a second time.
    return quote(path, safe="/~")


def _canonical_parameters(query: str) -> list[str]:
    return [name + "=" + value for name, _, value in (part.partition("=") for part in query.split("&")) if name]
