"""SNS certificates on disk, so that a restart in the middle of a flood needs no fetch."""

import sqlite3
import time
from typing import TYPE_CHECKING

import structlog

from email_consumer.store.database import Database
from email_consumer.store.key_values import delete_values, read_group, write_value

if TYPE_CHECKING:
    from cryptography import x509

_PREFIX = "sns certificate "

_log = structlog.get_logger(__name__)


class SqliteCertificateStore:
    """By URL. They are as trustworthy as the database itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> "dict[str, x509.Certificate]":
        """All valid certificates; expired ones are deleted."""
        if not (stored := await read_group(self._database, _PREFIX)):
            return {}
        from cryptography import x509  # noqa: PLC0415 - see the package

        found: dict[str, x509.Certificate] = {}
        expired: list[str] = []
        for name, pem in stored.items():
            try:
                certificate = x509.load_pem_x509_certificate(pem.encode())
            except ValueError:
                expired.append(name)
                continue
            if certificate.not_valid_after_utc.timestamp() < time.time():
                expired.append(name)
            else:
                found[name.removeprefix(_PREFIX)] = certificate
        if expired:
            await delete_values(self._database, expired)
        return found

    async def keep(self, url: str, certificate: "x509.Certificate") -> None:
        """Store it, if the database accepts writes."""
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - see the package

        pem = certificate.public_bytes(Encoding.PEM)
        try:
            await write_value(self._database, _PREFIX + url, pem.decode())
        except sqlite3.OperationalError as error:
            _log.warning("events.certificate_not_stored", error=str(error), hint="fetched again after the next restart")
