"""SNS certificates on disk, so that a restart in the middle of a flood needs no fetch."""

import sqlite3
import time

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from email_consumer.store.database import Database

_PREFIX = "sns certificate "
_ALL = f"SELECT name, value FROM facts WHERE name >= '{_PREFIX}' AND name < '{_PREFIX}~'"  # noqa: S608 - a constant
_WRITE = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)"
_DELETE = "DELETE FROM facts WHERE name = ?"

_log = structlog.get_logger(__name__)


class SqliteCertificateStore:
    """By URL. They are as trustworthy as the database itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> dict[str, x509.Certificate]:
        """All valid certificates; expired ones are deleted."""
        found: dict[str, x509.Certificate] = {}
        expired: list[tuple[str]] = []
        for row in await self._database.fetch(_ALL):
            try:
                certificate = x509.load_pem_x509_certificate(row["value"].encode())
            except ValueError:
                expired.append((row["name"],))
                continue
            if certificate.not_valid_after_utc.timestamp() < time.time():
                expired.append((row["name"],))
            else:
                found[row["name"].removeprefix(_PREFIX)] = certificate
        if expired:
            async with self._database.transaction() as connection:
                await connection.executemany(_DELETE, expired)
        return found

    async def keep(self, url: str, certificate: x509.Certificate) -> None:
        """Store it, if the database accepts writes."""
        pem = certificate.public_bytes(Encoding.PEM)
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_WRITE, (_PREFIX + url, pem.decode()))
        except sqlite3.OperationalError as error:
            _log.warning("events.certificate_not_stored", error=str(error), hint="fetched again after the next restart")
