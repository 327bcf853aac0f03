"""The sandbox signs with its own certificate, which is trusted only with a local SES endpoint."""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from email_consumer.runtime.errors import OperatorError

if TYPE_CHECKING:
    from cryptography import x509

_log = structlog.get_logger(__name__)


class SandboxCertificateError(OperatorError):
    """The file can't be used; the text is one line that names the variable."""


def sandbox_certificate(path: Path | None, ses_endpoint: str | None) -> "x509.Certificate | None":
    """The certificate for topics of account 000000000000, or None.

    Always None unless mail goes to this machine: the sandbox must not settle real mail.

    Raises:
        SandboxCertificateError: the file can't be read.
    """
    if path is None:
        return None
    if not _is_loopback(ses_endpoint):
        _log.error(
            "events.sandbox_certificate_ignored",
            hint="SANDBOX_CERTIFICATE is for the local sandbox only; unset it, because mail goes to the real SES",
        )
        return None
    from cryptography import x509  # noqa: PLC0415 - see the package

    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SandboxCertificateError(f"SANDBOX_CERTIFICATE: {path} can't be read as a certificate: {error}") from error


def _is_loopback(endpoint: str | None) -> bool:
    host = urlsplit(endpoint or "").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
