"""The mails the sandbox has accepted: durable before they are acknowledged, bounded in number."""

import asyncio
import sqlite3
from dataclasses import dataclass
from time import time
from typing import Protocol

from ses_sandbox.change import Change
from ses_sandbox.database import Database
from ses_sandbox.identifiers import ses_message_id
from ses_sandbox.quota import minute_of
from ses_sandbox.ses.send_request import SendRequest

_INSERT = """
INSERT INTO mails (message_id, received_at, recipients, uuid, sender, destination, subject)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_USE = """
INSERT INTO usage (minute, recipients) VALUES (?, ?)
ON CONFLICT (minute) DO UPDATE SET recipients = recipients + excluded.recipients
"""


@dataclass(frozen=True, slots=True)
class AcceptedMail:
    """An accepted request."""

    message_id: str
    received_at: float
    """Unix seconds."""
    request: SendRequest


class Companion(Protocol):
    """What must become durable together with each mail (its events)."""

    def write(self, connection: sqlite3.Connection, mail: AcceptedMail) -> None:
        """Write it in the mail's transaction."""

    def committed(self) -> None:
        """The transaction is committed."""


def accept(request: SendRequest) -> AcceptedMail:
    """Give a request its message id, in the shape of the real ones: milliseconds in hexadecimal, a UUID, zeros."""
    now = time()
    return AcceptedMail(ses_message_id(now), now, request)


class Mailbox:
    """Stores accepted mail and announces each arrival."""

    def __init__(self, database: Database, keep: int, companion: Companion) -> None:
        """`keep` is how many mails, the newest, stay."""
        self.database = database
        self.arrival = Change()
        """Announced after every mail, once it is on the disk."""
        self.accepted: int = database.read_now("SELECT count(*) FROM mails")[0][0]
        """Mails accepted since the mailbox was emptied, counting those still stored at the last start."""
        self._keep = keep
        self._companion = companion

    async def store(self, mail: AcceptedMail) -> None:
        """Return once the mail is on the disk. It is stored even if the caller is cancelled meanwhile."""
        stored = self.database.submit(lambda connection: self._insert(connection, mail))
        stored.add_done_callback(self._announce)
        await asyncio.shield(stored)

    def _announce(self, stored: asyncio.Future[None]) -> None:
        if stored.exception() is None:
            self.accepted += 1
            self.arrival.announce()
            self._companion.committed()

    def _insert(self, connection: sqlite3.Connection, mail: AcceptedMail) -> None:
        request = mail.request
        row = (
            mail.message_id,
            mail.received_at,
            len(request.recipients),
            request.uuid,
            request.sender,
            searchable(request.recipients),
            request.subject,
        )
        mail_id = connection.execute(_INSERT, row).lastrowid or 0
        connection.execute("INSERT INTO requests VALUES (?, ?)", (mail_id, request.body))
        connection.execute(_USE, (minute_of(mail.received_at), len(request.recipients)))
        if mail_id > self._keep:
            connection.execute("DELETE FROM mails WHERE id <= ?", (mail_id - self._keep,))
            connection.execute("DELETE FROM requests WHERE mail_id <= ?", (mail_id - self._keep,))
        self._companion.write(connection, mail)

    async def empty(self) -> None:
        """Delete all mails; the quota they used stays used."""
        await self.database.write(_empty)
        self.accepted = 0
        self.arrival.announce()


def _empty(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM mails")
    connection.execute("DELETE FROM requests")


def searchable(addresses: tuple[str, ...]) -> str:
    """Addresses as the column `destination` holds them: lower case, each between newlines."""
    return "\n" + "\n".join(addresses).lower() + "\n"
