"""Doctor on what many workers rely on, each fault made for real on a nats-server."""

import pytest
from nats.aio.client import Client
from nats.js.api import StorageType, StreamConfig

from email_consumer.doctor import fleet
from email_consumer.doctor.finding import Finding, Severity
from email_consumer.doctor.fleet import check_replicas, check_sidecar, check_workers
from email_consumer.jetstream.key_value import ensure_bucket
from tests.integration.cluster.membership_harness import MembershipHarness
from tests.integration.cluster.shared_state_harness import running, sidecar
from tests.servers.nats import NatsServer
from tests.waiting import patience


def summary(finding: Finding) -> tuple[str, Severity, str]:
    assert finding.fix or finding.severity is Severity.OK
    return finding.check, finding.severity, finding.text


async def test_copies_that_are_missing_are_named(client: Client) -> None:
    await ensure_bucket(client, "messages-facts", replicas=1)
    (finding,) = await check_replicas(client, stream="messages", replicas=1)
    assert finding.severity is Severity.OK
    (finding,) = await check_replicas(client, stream="messages", replicas=3)
    assert summary(finding)[1] is Severity.WARNING
    assert finding.text.startswith("'KV_messages-facts' has 1 of the 3 copies")
    assert finding.fix == "`nats stream edit KV_messages-facts --replicas 3`."


async def test_a_stream_in_memory_is_named(client: Client) -> None:
    await client.jetstream().add_stream(StreamConfig(name="messages", storage=StorageType.MEMORY))
    (finding,) = await check_replicas(client, stream="messages", replicas=1)
    assert summary(finding)[1] is Severity.WARNING
    assert "in memory only" in finding.text


async def test_workers_are_counted(server: NatsServer, client: Client) -> None:
    assert summary(await check_workers(client, stream="messages"))[:2] == ("nats.workers", Severity.WARNING)
    harness = MembershipHarness(server)
    for _ in range(2):
        await harness.start()
    await harness.until(2)
    assert summary(await check_workers(client, stream="messages"))[2] == "Live workers that share the rate: 2."
    await harness.all[0].leave()
    await harness.until(1)  # a departure is published without an answer: another worker tells when it is stored
    assert summary(await check_workers(client, stream="messages"))[2] == "Live workers that share the rate: 1."
    await harness.end()


async def test_the_sidecar_is_known_by_its_signs_of_life(
    server: NatsServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert summary(await check_sidecar(client, stream="messages"))[2].startswith("No sidecar has run yet")
    async with sidecar(server) as shared, running(shared):
        shared.announce(("s3cret",), 1.0)
        await shared.stored()
        assert summary(await check_sidecar(client, stream="messages"))[1] is Severity.OK
    monkeypatch.setattr(fleet, "_SILENT", -1.0)
    finding = await check_sidecar(client, stream="messages")
    assert summary(finding)[:2] == ("nats.sidecar", Severity.WARNING)
    assert finding.text.startswith("The sidecar has been silent for 0 s")


async def test_without_an_answer_that_is_what_it_says(server: NatsServer, client: Client) -> None:
    await ensure_bucket(client, "messages-facts", replicas=1)
    await server.kill()
    async with patience():
        assert summary(await check_sidecar(client, stream="messages"))[1] is Severity.ERROR
