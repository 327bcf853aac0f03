"""The sending half of a role, on a source that the program has never heard of: a list in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.metrics import Metrics
from email_consumer.core.readiness import reasons
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.pipeline.gate import Gate
from email_consumer.roles.options import role_options
from email_consumer.roles.paced_sender import open_paced_sender
from email_consumer.roles.parts import Parts
from email_consumer.roles.sending import build_sending
from email_consumer.runtime.supervisor import Supervisor
from email_consumer.settings import Settings
from email_consumer.store.database import Database
from email_consumer.store.reading_journal import open_journal
from email_consumer.store.status import Status
from ses_sandbox.testing import SandboxTask
from tests.factories import payload
from tests.memory_source import MemorySource
from tests.waiting import PATIENCE, until


@pytest.fixture
async def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SandboxTask]:
    async with SandboxTask(tmp_path / "sandbox") as sandbox:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", sandbox.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox-secret")
        yield sandbox


def mail(uuid: str, email: str = "a@example.com") -> tuple[bytes, dict[str, str]]:
    return payload(uuid, email=email), {}


async def test_mail_from_a_list_is_sent_and_settled(sandbox: SandboxTask, database: Database) -> None:
    source, options, gate = MemorySource(), role_options(Settings()), Gate()
    ledger = SqliteLedger(database, gate.check, options.policy)
    async with Supervisor() as services:
        parts = Parts(Metrics(), (source,), services)
        assert parts.mail_queue is source.mail_queue
        assert parts.archives == []
        await services.enter(ledger.running())
        journal = await services.enter(open_journal(database.path))
        paced = await open_paced_sender(parts, options.ses)
        secrets = LinkSecrets("secret")
        sending = build_sending(
            parts, paced, options.sending, ledger=ledger, gate=gate, secrets=secrets, journal=journal
        )
        services.start(*sending.services())
        gate.suppress({"gone@example.com": "hard bounce"})
        payloads = [mail("u-1"), mail("u-2"), mail("u-1"), mail("u-3", "gone@example.com"), (b"no message", {})]
        assert await parts.mail_queue.publish(payloads) == [1, 2, 3, 4, 5]
        answer = await sandbox.get("/messages/wait", count=2, timeout=PATIENCE)
        assert answer["reached"], answer
        await until(lambda: not source.mail_queue.unsettled)
        assert await reasons(parts.checks) == {}
        source.error = "the list is gone"
        assert (await reasons(parts.checks))["memory"] == "the list is gone"
        await sending.drain()
    assert dict((await sandbox.get("/messages/uuids"))["uuids"]) == {"u-1": 1, "u-2": 1}
    rows = await database.fetch("SELECT uuid, status, source FROM email_requests ORDER BY uuid")
    assert [tuple(row) for row in rows] == [
        ("u-1", Status.SENT, "memory"),
        ("u-2", Status.SENT, "memory"),
        ("u-3", Status.STOPPED, "memory"),
    ]
    [(reference, _)] = source.dead_letters.kept
    assert reference == "list:5"
