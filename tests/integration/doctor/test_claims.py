"""Doctor on what the ledger of roles apart keeps in JetStream."""

from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from email_consumer.doctor.claims import check_claims, check_ledger_streams
from email_consumer.doctor.finding import Severity
from email_consumer.ledgers.jetstream.claims_stream import ClaimsStream
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from tests.servers.nats import NatsServer


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with NatsServer(tmp_path / "nats") as server:
        client = await nats.connect(server.url)
        yield client
        await client.close()


async def test_each_state_of_the_bucket_is_named(client: Client) -> None:
    async def look() -> tuple[Severity, str]:
        finding = await check_claims(client, stream="messages")
        assert finding.fix or finding.severity is Severity.OK
        return finding.severity, finding.text

    claims = ClaimsStream(client, "messages")
    severity, text = await look()
    assert (severity, "is not there" in text) == (Severity.ERROR, True)
    await claims.create(replicas=1)
    severity, text = await look()
    assert (severity, "takes no claims" in text) == (Severity.ERROR, True)
    await claims.open()
    severity, text = await look()
    assert (severity, "has not seen it yet" in text) == (Severity.WARNING, True)
    await claims.mark(refilled=True)
    assert (await look())[0] is Severity.OK


async def test_missing_streams_are_named(client: Client) -> None:
    await ensure_ledger_streams(client, "messages", replicas=1)
    assert (await check_ledger_streams(client, stream="messages")).severity is Severity.OK
    await client.jetstream().delete_stream("messages-outcomes")
    finding = await check_ledger_streams(client, stream="messages")
    assert (finding.severity, finding.text.startswith("messages-outcomes: ")) == (Severity.ERROR, True)
