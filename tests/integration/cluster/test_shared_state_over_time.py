"""What a sidecar leaves in the bucket of shared state, and in the log, over a long time."""

from unittest.mock import AsyncMock

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from email_consumer.cluster import shared_state_publisher
from email_consumer.core.mail_queue import Mark
from email_consumer.jetstream.publisher import RefusedError
from tests.integration.cluster.shared_state_harness import connected, running, sidecar, worker
from tests.servers.nats import NatsServer
from tests.waiting import until


async def test_cancellations_that_are_over_leave_nothing_in_the_bucket(server: NatsServer) -> None:
    async with sidecar(server) as shared, running(shared):
        shared.cancel("old", Mark("s", 1, 2.0))
        shared.cancel("old, and needed", Mark("s", 2, 2.0))
        shared.cancel("young", Mark("s", 3, 4.0))
        shared.announce(("s3cret",), 1.0)
        await shared.stored()
    async with sidecar(server) as shared, connected(server) as client:
        before = await _keys(client)
        shared.forget(lambda mark: mark.before < 4)
        shared.cancel("old, and needed", Mark("s", 2, 2.0))
        shared.announce(("s3cret",), 1.0)
        async with running(shared):
            await shared.stored()
            after = await _keys(client)
            assert len(before - after) == 1
            info = await client.jetstream().stream_info("KV_messages-facts")
            assert info.state.messages == len(after), "no markers of what was deleted"
            shared.cancel("old", Mark("s", 9, 10.0))  # the topic may be cancelled again
            async with worker(server) as one:
                await one.watcher.ready()
                await one.until(lambda known: "old" in known.cancelled)
                assert set(one.cancelled) == {"old", "old, and needed", "young"}


async def test_an_outage_is_logged_once(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_state_publisher, "_RETRY", 0.01)
    async with sidecar(server) as shared, running(shared):
        shared.announce(("s3cret",), 1.0)
        await shared.stored()
        refused = AsyncMock(side_effect=RefusedError("no stream takes it at present"))
        with capture_logs() as lines, monkeypatch.context() as outage:
            outage.setattr(shared._publisher, "once", refused)
            shared.cancel("news", Mark("s", 1, 2.0))
            await until(lambda: refused.call_count >= 5)
        await shared.stored()
    assert len([line for line in lines if line["event"] == "shared_state.not_stored"]) == 1


async def _keys(client: Client) -> set[str]:
    return set(await (await client.jetstream().key_value("messages-facts")).keys())
