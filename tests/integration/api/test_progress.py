"""A topic's progress: from its sums, from when its mail was sent, and from what waits in the stream."""

import time
from datetime import datetime
from typing import Any

from email_consumer.store.erasure import erase
from email_consumer.store.retention import Retention
from email_consumer.store.status import Status
from tests.integration.api.harness import ApiHarness
from tests.integration.store.mails import add_mail, rows


async def _progress(harness: ApiHarness, topic: str = "t") -> dict[str, Any]:
    status, found = await harness.ask("GET", f"/v1/topics/{topic}")
    assert status == 200
    progress: dict[str, Any] = found["progress"]
    return progress


async def test_what_became_of_it_and_how_fast_it_goes(harness: ApiHarness) -> None:
    now = time.time()
    for number, kind in enumerate(("Delivery", "Delivery", "Bounce", "Complaint")):
        address = f"{number}@example.com"
        results = [(kind, address)] + ([("Open", address)] if number == 0 else [])
        await add_mail(
            harness.database, topic="t", email=address, created=now - 100, finished=now - number, results=results
        )
    await add_mail(harness.database, topic="t", created=now - 7_200)
    for status in (Status.CREATED, Status.PROCESSED, Status.FAILED, Status.STOPPED):
        await add_mail(harness.database, topic="t", created=now, status=status)
    progress = await _progress(harness)
    counts = {name: progress[name] for name in ("total", "remaining", "sent", "failed", "stopped")}
    assert counts == {"total": 9, "remaining": 2, "sent": 5, "failed": 1, "stopped": 1}
    became = {name: progress[name] for name in ("delivered", "bounced", "complained", "opened", "unsubscribed")}
    assert became == {"delivered": 2, "bounced": 1, "complained": 1, "opened": 1, "unsubscribed": 0}
    assert (progress["delivery_rate"], progress["bounce_rate"], progress["unsubscribe_rate"]) == (0.4, 0.2, 0.0)
    first, last = (datetime.fromisoformat(progress[name]) for name in ("first_sent_at", "last_sent_at"))
    assert 7_190 <= (last - first).total_seconds() <= 7_210
    assert 0.01 <= progress["sent_per_second"] <= 0.02  # of 4 in the last five to six minutes
    assert progress["remaining_seconds"] > 100
    assert not progress["finished"]


async def test_a_topic_that_nobody_knows(harness: ApiHarness) -> None:
    progress = await _progress(harness)
    assert (progress["total"], progress["finished"], progress["first_sent_at"]) == (0, False, None)
    assert (progress["delivery_rate"], progress["remaining_seconds"]) == (None, None)


async def test_what_waits_in_the_stream_may_belong_to_it(harness: ApiHarness) -> None:
    await add_mail(harness.database, topic="t", created=time.time())
    assert (await _progress(harness))["finished"]
    await harness.client.jetstream().publish("messages.email", b"whatever")
    progress = await _progress(harness)
    assert (progress["remaining"], progress["unseen"], progress["finished"]) == (0, 1, False)


async def test_it_is_not_finished_while_the_queue_is_silent(harness: ApiHarness) -> None:
    await add_mail(harness.database, topic="t", created=time.time())
    await harness.client.close()
    progress = await _progress(harness)
    assert (progress["unseen"], progress["finished"]) == (None, False)


async def test_mail_that_is_unknown_may_wait_in_the_stream(harness: ApiHarness) -> None:
    await harness.client.jetstream().publish("messages.email", b"whatever")
    status, found = await harness.ask("GET", "/v1/messages/u-9")
    assert (status, found["error"]["waiting"]) == (404, 1)
    assert "1 mail waiting in the queue" in found["error"]["message"]


async def _unsubscribe(harness: ApiHarness, address: str) -> None:
    async with harness.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO suppressions (address, reason, source, created_at, scope) VALUES (?, 'unsubscribed', '', 0, 'bulk')",
            (address,),
        )


async def test_who_unsubscribes_counts_for_the_latest_bulk_mail(harness: ApiHarness) -> None:
    for topic in ("old", "t"):
        await add_mail(harness.database, topic=topic, email="a@example.com", created=time.time())
    await _unsubscribe(harness, "a@example.com")
    await _unsubscribe(harness, "b@example.com")
    assert ((await _progress(harness))["unsubscribed"], (await _progress(harness, "old"))["unsubscribed"]) == (1, 0)
    await erase(harness.database, "a@example.com")
    assert "a@example.com" not in str(await rows(harness.database, "SELECT * FROM topic_recipients"))
    assert (await _progress(harness))["unsubscribed"] == 1


async def test_retention_takes_it_along(harness: ApiHarness) -> None:
    await add_mail(harness.database, topic="t", email="a@example.com", created=0.0)
    await _unsubscribe(harness, "a@example.com")
    await Retention(harness.database, 1.0).sweep(time.time())
    for table in ("topic_minutes", "topic_recipients", "topic_results", "topic_counts"):
        assert await rows(harness.database, f"SELECT * FROM {table}") == []  # noqa: S608
