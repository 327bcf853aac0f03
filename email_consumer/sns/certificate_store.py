"""SNS certificates on disk, so that a restart in the middle of a flood needs no fetch."""

import sqlite3
import time

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from email_consumer.store.database import Database

_PREFIX = "sns certificate "
_ALL = f"SELECT name, value FROM facts WHERE name >= '{_PREFIX}' AND name < '{_PREFIX}~'"  # noqa: S608 - a constant
_KEEP = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)"
_FORGET = "DELETE FROM facts WHERE name = ?"

_log = structlog.get_logger(__name__)


class CertificateShelf:
    """By URL. They are as trustworthy as the file that they lie in, like all that follows from them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> dict[str, x509.Certificate]:
        """All that have not expired; the others are thrown away."""
        found: dict[str, x509.Certificate] = {}
        spent: list[tuple[str]] = []
        for row in await self._database.fetch(_ALL):
            try:
                certificate = x509.load_pem_x509_certificate(row["value"].encode())
            except ValueError:
                spent.append((row["name"],))
                continue
            if certificate.not_valid_after_utc.timestamp() < time.time():
                spent.append((row["name"],))
            else:
                found[row["name"].removeprefix(_PREFIX)] = certificate
        if spent:
            async with self._database.transaction() as connection:
                await connection.executemany(_FORGET, spent)
        return found

    async def keep(self, url: str, certificate: x509.Certificate) -> None:
        """Put it there, if the file takes writes."""
        pem = certificate.public_bytes(Encoding.PEM)
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_KEEP, (_PREFIX + url, pem.decode()))
        except sqlite3.OperationalError as error:
            _log.warning("events.certificate_not_kept", error=str(error), hint="fetched again after the next restart")
