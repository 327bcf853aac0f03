"""Doctor on the copy of the sidecar's rows."""

from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from email_consumer.doctor.copied_rows import check_copied_rows
from email_consumer.doctor.finding import Finding, Severity
from email_consumer.jetstream.publisher import Publisher
from email_consumer.store.database import open_database
from tests.integration.replica.copies import ROWS, copied
from tests.servers.nats import NatsServer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path / "nats") as server:
        client = await nats.connect(server.url)
        yield client
        await client.close()


async def look(client: Client, *, wanted: bool = True) -> list[Finding]:
    findings = await check_copied_rows(client, stream="messages", wanted=wanted)
    assert all(finding.fix or finding.severity is Severity.OK for finding in findings)
    return findings


async def test_each_state_of_the_copy_is_named(tmp_path: Path, client: Client) -> None:
    [finding] = await look(client)
    assert (finding.severity, finding.check) == (Severity.WARNING, "nats.rows")
    assert "no copy of the sidecar's rows yet" in finding.text
    async with open_database(tmp_path / "email.db") as database, database.transaction() as connection:
        await connection.executemany("INSERT INTO sent_minutes VALUES (?, 1)", [(n,) for n in range(3000)])
    async with copied(tmp_path / "email.db", Publisher(client)) as copy:
        await copy.copier.copy()
        [finding] = await look(client)
        assert (finding.severity, "are being copied" in finding.text) == (Severity.WARNING, True)
        await copy.copy()
    [finding] = await look(client)
    assert (finding.severity, finding.text) == (Severity.OK, "The copy of the sidecar's rows is whole: 3,004 rows.")
    info = await client.jetstream().stream_info(ROWS)
    await client.jetstream().update_stream(info.config.evolve(max_bytes=100_000_000))
    limited, _ = await look(client)
    assert (limited.severity, "max_bytes 1e+08" in limited.text) == (Severity.WARNING, True)
    await client.jetstream().purge_stream(ROWS)
    _, finding = await look(client)
    assert (finding.severity, "lacks its beginning" in finding.text) == (Severity.WARNING, True)
    [finding] = await look(client, wanted=False)
    assert (finding.severity, "COPY_ROWS is false" in finding.text) == (Severity.SKIPPED, True)
