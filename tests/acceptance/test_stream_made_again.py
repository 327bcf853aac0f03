"""An operator deletes the stream while scheduled mail waits in it, and makes it again."""

from datetime import UTC, datetime, timedelta

import nats
from nats.js.api import StreamConfig

from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map

_UUIDS = ["due-1", "due-2"]


async def test_scheduled_mail_that_waited_in_it_is_sent_once(harness: DaemonHarness) -> None:
    async with harness.daemon():
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        throttled = await harness.fault(times=None, kind="error", code="TooManyRequestsException")
        await harness.publisher.publish(as_map(uuid, scheduled_at=soon) for uuid in _UUIDS)
        await harness.struck(throttled, hits=len(_UUIDS))
        client = await nats.connect(harness.nats.url)
        jetstream = client.jetstream()
        config = (await jetstream.stream_info("messages")).config
        await jetstream.delete_stream("messages")
        await jetstream.add_stream(StreamConfig(name="messages", subjects=config.subjects, retention=config.retention))
        await client.close()
        await harness.heal()
        await harness.publisher.publish([as_map("new")])
        await harness.wait_sent(3)
        await harness.emptied()
    assert await harness.sent() == dict.fromkeys([*_UUIDS, "new"], 1)
