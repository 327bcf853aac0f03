"""Lanes with separate roles: each worker gives transactional mail priority, and all of them take it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.publisher import as_map
from tests.acceptance.roles.conftest import RATE, FleetHarness

pytestmark = pytest.mark.asyncio(loop_scope="module")

_BULK = 40 * RATE


async def test_transactional_mail_goes_first_at_each_worker_and_keeps_its_lane(harness: FleetHarness) -> None:
    urgent = [f"urgent-{number}" for number in range(100)]
    await harness.publisher.publish(as_map(f"bulk-{number}", topic_id="bulk") for number in range(_BULK))
    await harness.until_sent("bulk-", RATE // 2)
    await harness.publisher.publish((as_map(uuid, topic_id="urgent") for uuid in urgent), transactional=True)
    message = {"topic_id": "urgent-api", "emails": ["a@example.com"], "subject": "s", "content": "<p>b</p>"}
    await harness.ask("POST", "/v1/messages", {"messages": [message], "lane": "transactional"})
    await harness.until_sent("urgent-", len(urgent))
    await harness.until_counts("urgent-api", Sent=1)
    assert len(await harness.sent("bulk-")) < _BULK / 2
    await harness.until_counts("urgent", Sent=len(urgent))
    assert harness.rows("SELECT DISTINCT lane FROM email_requests WHERE topic_id LIKE 'urgent%'") == [
        ("transactional",)
    ]
    await harness.ask("DELETE", "/v1/topics/bulk")
    await harness.emptied()
    assert await harness.sent("urgent-") == dict.fromkeys(urgent, 1)


async def test_due_mail_keeps_its_lane(harness: FleetHarness) -> None:
    due = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    await harness.publisher.publish([as_map("later", topic_id="later", scheduled_at=due)], transactional=True)
    await harness.until_counts("later", Sent=1)
    assert harness.rows("SELECT lane FROM email_requests WHERE topic_id = 'later'") == [("transactional",)]
