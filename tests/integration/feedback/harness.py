"""The feedback loop on a real SQLite file, with the real ledger and gate, wired as in the daemon."""

import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography import x509

from email_consumer.core.ledger import Claim
from email_consumer.core.mail_group import MailReport
from email_consumer.core.outcome import Outcome, Sent
from email_consumer.feedback.event_reader import read
from email_consumer.feedback.events import Event
from email_consumer.feedback.inbox import Inbox, Reception
from email_consumer.feedback.receiver import EventReceiver
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.pipeline.gate import Gate
from email_consumer.sns.certificate_store import SqliteCertificateStore
from email_consumer.sns.certificates import Certificates
from email_consumer.sns.subscription import Subscriptions
from email_consumer.sns.verifier import Verifier
from email_consumer.store.database import Database, open_database
from email_consumer.suppression.rows import SuppressionRows
from email_consumer.suppression.suppression_list import SuppressionList
from tests.factories import ORIGIN, mail
from tests.unit.feedback.sns_key import TOPIC, SnsKey

KEY = SnsKey()


async def key_download(_url: str) -> bytes:
    return KEY.pem


@dataclass(slots=True)
class FeedbackHarness:
    path: Path
    database: Database
    ledger: SqliteLedger
    gate: Gate
    inbox: Inbox
    receiver: EventReceiver
    suppressions: SuppressionList
    proven: list[Event]
    """Events that were passed on before they were written."""
    reports: list[MailReport]
    """What was said of mails, for their reputation."""
    lives: dict[str | None, int]
    """By tag, since which revision it belongs to its present mail."""

    async def take(self, message: str, sns_message_id: str | None = None) -> Reception:
        """As if it had come, verified, from SNS."""
        found = read(message, time.time())
        assert isinstance(found, Event)
        return await self.inbox.receive(sns_message_id or str(uuid4()), found)

    async def claim(self, uuid: str = "u-1", **fields: object) -> object:
        return await self.ledger.claim(mail(uuid, **{"email": "Jane@example.com"} | fields), ORIGIN)

    async def finish(self, outcome: Outcome, uuid: str = "u-1", **fields: object) -> None:
        await self.ledger.finish(mail(uuid, **{"email": "Jane@example.com"} | fields), outcome, ORIGIN)

    async def send(self, uuid: str = "u-1", message_id: str = "ses-1", **fields: object) -> None:
        assert isinstance(await self.claim(uuid, **fields), Claim)
        await self.finish(Sent(message_id), uuid, **fields)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(sql).fetchall()

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that events change, but for ids and the moments at which we heard of them."""
        return {
            "requests": self.rows(
                "SELECT uuid, status, message_id, attempts, in_doubt, error FROM email_requests ORDER BY uuid"
            ),
            "results": self.rows(
                "SELECT uuid, r.status, recipient, machine, detail, raw, r.created_at FROM email_results AS r"
                " JOIN email_requests ON email_requests.id = request_id ORDER BY 1, 2, 3, 7, 6"
            ),
            "topics": self.rows("SELECT topic_id, kind, count FROM topic_results WHERE count > 0 ORDER BY 1, 2"),
            "counts": self.rows("SELECT topic_id, status, count FROM topic_counts WHERE count > 0 ORDER BY 1, 2"),
            # Without what a series of soft bounces left that a delivery interrupted: it counts for nothing.
            "suppressions": self.rows("SELECT * FROM suppressions WHERE removed_at IS NOT 0 ORDER BY 1"),
            "unmatched": self.rows("SELECT message_id, tag, raw FROM unmatched_events ORDER BY 1, 3"),
        }


@asynccontextmanager
async def open_harness(
    path: Path,
    *,
    topics: tuple[str, ...] = (TOPIC,),
    soft_bounce_limit: int = 3,
    mirror: bool = False,
    by_tenant: bool = False,
    sandbox: x509.Certificate | None = None,
    sns_endpoint: str | None = None,
    download: Callable[[str], Awaitable[bytes]] = key_download,
) -> AsyncIterator[FeedbackHarness]:
    gate = Gate()
    proven: list[Event] = []
    reports: list[MailReport] = []
    lives: dict[str | None, int] = {}

    async def note(event: Event) -> None:
        proven.append(event)

    async def life(tag: str | None, _message_id: str) -> int:
        return lives.get(tag, 0)

    async with open_database(path) as database:
        ledger = SqliteLedger(database, gate.check, Policy(3600, "resend", 1000, max_attempts=3))
        rows = SuppressionRows(soft_bounce_limit=soft_bounce_limit, mirror=mirror, by_tenant=by_tenant)
        inbox = Inbox(database, rows, gate, instance="test", proven=note, life=life, reported=reports.append)
        certificates = Certificates(download, SqliteCertificateStore(database))
        await certificates.load()
        verifier = Verifier(topics, certificates, sandbox)
        receiver = EventReceiver(verifier, Subscriptions(sns_endpoint), inbox)
        suppressions = SuppressionList(database, rows, gate)
        await suppressions.load()
        async with ledger.running(), inbox.running():
            yield FeedbackHarness(path, database, ledger, gate, inbox, receiver, suppressions, proven, reports, lives)
