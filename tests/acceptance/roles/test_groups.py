"""Unsubscribes, roles apart: the sidecar hears of them, the workers stop mail. A hard bounce comes back from SES."""

import pytest

from tests.acceptance.groups import BLOCKED, LEFT_ALL, LEFT_NEWS, MAILINGS, expected, mailings
from tests.acceptance.links import WORKS, links_of, unsubscribed
from tests.acceptance.publisher import as_map
from tests.acceptance.roles.conftest import FleetHarness
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOUNCING = "bounce+groups@simulator.amazonses.com"


async def test_workers_stop_what_was_left_and_let_the_rest_pass(harness: FleetHarness) -> None:
    for name, address, fields in (("g-news", LEFT_NEWS, MAILINGS["news"]), ("g-any", LEFT_ALL, {})):
        linked = {"list_unsubscribe": True, "track_opens": True}
        await harness.publisher.publish([as_map(name, email=address, **linked, **fields)])
        assert await unsubscribed(harness.fleet.url, await links_of(harness.sandbox, name)) == WORKS
    await harness.ask("POST", "/v1/suppressions", {"address": BLOCKED})
    await harness.publisher.publish([as_map("g-bounce", email=BOUNCING)])

    async def bounced() -> bool:
        page = await harness.ask("GET", "/v1/suppressions?reason=hard%20bounce")
        return BOUNCING in {entry["address"] for entry in page["suppressions"]}

    await until(bounced)
    await harness.ask("POST", "/v1/suppressions", {"address": "last@example.com"})
    await harness.until_known("last@example.com")  # workers hear of changes in order
    bounce = [as_map(f"g-bounced-{name}", email=BOUNCING, **fields) for name, fields in MAILINGS.items()]
    await harness.publisher.publish([*mailings("g-queued"), *bounce])
    await harness.emptied()
    assert await harness.sent("g-queued") == expected("g-queued")
    assert await harness.sent("g-bounced") == {}
