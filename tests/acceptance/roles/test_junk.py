"""Junk in every bucket and stream that the roles share: they go on, start again, and send."""

import pytest

from tests.acceptance.publisher import as_map
from tests.acceptance.roles.conftest import FleetHarness
from tests.servers.raw_publisher import RawPublisher

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACES = [
    *("$KV.messages-claims.junk-0", "$KV.messages-claims.other.key", "$KV.messages-claims.inheritance.email-processor"),
    *("$KV.messages-workers.junk", "$KV.messages-readings.junk"),
    *("$KV.messages-tenancy.junk", "$KV.messages-tenancy.role.sidecar", "$KV.messages-tenancy.email-processor"),
    *("$KV.messages-facts.secret", "$KV.messages-facts.receiver", "$KV.messages-facts.cancelled.x"),
    *("$KV.messages-facts.suppressed.7", "$KV.messages-facts.suppressed.-1", "$KV.messages-facts.junk"),
    *("messages-outcomes", "messages-scheduled", "messages-rows.email_requests.x", "messages-rows.x"),
    *("messages-dead.rejected", "messages-dead.x", "messages.email"),
]
PAYLOADS = [b"", b"junk", b"\xff\xfe", b"[" * 5_000, b"\x91" * 5_000, b'{"for": NaN, "status": 7}', b"x" * 900_000]
LARGE = 500_000
BLOCKS = [
    b"",
    b"NATS/1.0",
    b"XATS/1.0 \xff\xff\xff \xfe\r\n\r\n",
    b"NATS/1.0\r\nEmail-Origin: []\r\nEmail-Attempts: -1\r\nEmail-Replay-Of: " + b"9" * 50_000 + b"\r\n\r\n",
]


async def litter(harness: FleetHarness) -> None:
    async with RawPublisher(harness.nats.url) as raw:
        for place in PLACES:
            for payload in PAYLOADS:
                for headers in BLOCKS if len(payload) < LARGE else BLOCKS[:1]:
                    await raw.publish(place.encode(), payload, headers)
        for bucket in ("claims", "workers", "facts", "readings"):
            await raw.publish(f"$KV.messages-{bucket}.".encode() + b"\xff\xfe", b"junk")
        await raw.publish(b"messages-dead.\xff", b"junk")


async def test_roles_that_run_go_on_and_roles_that_start_begin(harness: FleetHarness) -> None:
    await litter(harness)
    await harness.publisher.publish([as_map(f"junk-on-{number}", topic_id="junk") for number in range(50)])
    await harness.until_sent("junk-on-", 50)
    await harness.fleet.workers[0].kill()
    await harness.fleet.sidecar.kill()
    await litter(harness)
    await harness.fleet.sidecar.start()
    await harness.fleet.workers[0].start()
    await harness.publisher.publish([as_map(f"junk-after-{number}", topic_id="junk") for number in range(50)])
    await harness.until_sent("junk-after-", 50)
    await harness.until_counts("junk", Sent=100)
    assert set((await harness.sent("junk-")).values()) == {1}
    processes = [harness.fleet.sidecar, *harness.fleet.workers]
    assert all(process.running for process in processes)
    assert [process.count(event) for process in processes for event in ("delivery.crashed", "service.crashed")] == [
        0
    ] * 6
    letters = await harness.ask("GET", "/v1/dead-letters?limit=200")
    assert len(letters["dead_letters"]) > len(PAYLOADS) * len(BLOCKS)
