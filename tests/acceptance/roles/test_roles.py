"""Many workers and one sidecar do together what `run` does alone."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.publisher import as_map
from tests.acceptance.roles.conftest import FleetHarness
from tests.servers.daemon import Daemon
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_each_mail_once_while_the_sidecar_dies_and_comes_back(harness: FleetHarness) -> None:
    uuids = [f"once-{number}" for number in range(300)]
    await harness.publisher.publish([as_map(uuid, topic_id="once") for uuid in uuids for _ in range(2)])
    await harness.until_sent("once-", 100)
    await harness.fleet.sidecar.kill()
    await harness.until_sent("once-", 200)  # nobody waits for it
    await harness.fleet.sidecar.start()
    await harness.until_sent("once-", 300)
    await harness.emptied()
    await harness.until_counts("once", Sent=300, Created=0, Processed=0, Failed=0)
    assert await harness.sent("once-") == dict.fromkeys(uuids, 1)
    assert all(worker.running for worker in harness.fleet.workers)

    def in_results() -> bool:
        found = harness.rows(
            "SELECT count(DISTINCT request_id) FROM email_results JOIN email_requests AS mail ON mail.id = request_id WHERE topic_id = 'once' AND email_results.status = 'Send'"
        )
        return bool(found == [(300,)])

    await until(in_results)  # the events that found no receiver came again


async def test_cancelling_reaches_all_workers_and_the_receipt_adds_up(harness: FleetHarness) -> None:
    await harness.publisher.publish([as_map(f"cancel-{number}", topic_id="cancel") for number in range(1000)])
    await harness.until_sent("cancel-", 50)
    receipt = await harness.ask("DELETE", "/v1/topics/cancel")
    while not receipt["final"]:
        at_ses = len(await harness.sent("cancel-"))
        assert receipt["sent"] <= at_ses
        receipt = (await harness.ask("GET", "/v1/topics/cancel"))["cancellation"]
        assert at_ses <= receipt["sent"] + receipt["in_flight"]
    assert receipt["sent"] == len(await harness.sent("cancel-"))
    assert (receipt["cancelled"] + receipt["sent"], receipt["in_flight"], receipt["failed"]) == (1000, 0, 0)
    await harness.publisher.publish([as_map("cancel-later", topic_id="cancel")])
    await harness.until_sent("cancel-later", 1)


async def test_mail_that_is_due_later_waits_in_the_sidecars_keeping(harness: FleetHarness) -> None:
    due = datetime.now(UTC) + timedelta(seconds=2)
    mails = [as_map(f"due-{number}", topic_id="due", scheduled_at=due.isoformat()) for number in range(20)]
    await harness.publisher.publish(mails)
    await harness.until_sent("due-", 20)
    assert time.time() >= due.timestamp()
    await harness.until_counts("due", Sent=20)
    kept = "SELECT count(*) FROM email_requests WHERE topic_id = 'due' AND published_at >= scheduled_at"
    assert harness.rows(kept) == [(20,)]


async def test_mail_of_the_api_is_sent_by_workers_and_a_suppressed_address_gets_none(harness: FleetHarness) -> None:
    await harness.ask("POST", "/v1/suppressions", {"address": "never@example.com"})
    await harness.until_known("never@example.com")
    emails = [f"api{number}@example.com" for number in range(20)]
    message = {"topic_id": "api", "emails": [*emails, "Never@example.com"], "subject": "s", "content": "<p>b</p>"}
    answer = await harness.ask("POST", "/v1/messages", {"messages": [message]})
    await harness.until_counts("api", Sent=20, Stopped=1)
    [stopped] = harness.rows("SELECT uuid, error FROM email_requests WHERE topic_id = 'api' AND status = 4")
    assert "suppressed" in stopped[1]
    reached = set(await harness.sent())
    assert reached & set(answer["ids"]) == set(answer["ids"]) - {stopped[0]}


async def test_a_suppressed_copy_does_not_stop_the_mail(harness: FleetHarness) -> None:
    await harness.ask("POST", "/v1/suppressions", {"address": "archive@example.com"})
    heard: set[str] = set()
    number = 0
    while len(heard) < 5:  # sooner or later both workers have heard of it
        number += 1
        await harness.publisher.publish([as_map(f"copy-{number}", topic_id="copy", bcc=["Archive@example.com"])])
        await harness.until_counts("copy", Sent=number)
        details = await harness.ask("GET", f"/v1/messages/copy-{number}")
        left_out = [(each["recipient"], each["detail"]) for each in details["results"] if each["kind"] == "Suppressed"]
        if left_out:
            heard.add(details["uuid"])
            assert left_out == [("archive@example.com", {"reason": "manual"})]
    results = (await harness.ask("GET", "/v1/topics/copy"))["result_counts"]
    assert results["Suppressed"] == 1, "of distinct recipients"


async def test_a_worker_reports_its_health(harness: FleetHarness) -> None:
    worker = harness.fleet.workers[0]
    async with harness.session.get(f"{harness.url(worker)}/ready") as answer:
        up = set((await answer.json())["up"])
        assert (answer.status, up) == (
            200,
            {
                "nats",
                "nats-transactional",
                "claims",
                "shared_state",
                "ses",
                "dead_letters",
                "ledger",
            },
        )
    assert await harness.metric(worker, "email_sent_total") >= 0


async def test_what_must_not_be_together_is_refused_or_waits(harness: FleetHarness) -> None:
    second = harness.another("sidecar", LEDGER="jetstream")
    await second.launch()
    assert "holds the sidecar lease" in (await second.wait_for("lease.waiting"))["hint"]
    assert await second.stop() == 0
    run = harness.another("run")
    await run.launch()
    assert await run.ended() == 1
    assert "workers or a sidecar with LEDGER=jetstream" in str(run.log[-1])
    for role, ledger, reason in (
        ("run", "jetstream", "`email-consumer worker` (any number) and `email-consumer sidecar`"),
        ("worker", "sqlite", "needs jetstream"),
        ("sidecar", "sqlite", "needs jetstream"),
    ):
        wrong = harness.another(role, LEDGER=ledger)
        await wrong.launch()
        assert await wrong.ended() == 1
        assert reason in str(wrong.log[-1])


async def test_the_sidecars_file_is_backed_up_while_it_runs(harness: FleetHarness) -> None:
    await harness.publisher.publish([as_map("backed-up", topic_id="backed-up")])
    await harness.until_counts("backed-up", Sent=1)
    copy = harness.directory / "copy.db"
    backup = Daemon(harness.fleet.database.parents[1], harness.variables | {"LEDGER": "jetstream"}, "backup", str(copy))
    await backup.launch()
    assert (await backup.ended(), len(backup.log)) == (0, 1)
    with closing(sqlite3.connect(copy)) as connection:
        [(status,)] = connection.execute("SELECT status FROM email_requests WHERE uuid = 'backed-up'")
    assert status == 2


async def test_a_lost_file_is_made_again_from_jetstream(harness: FleetHarness) -> None:
    await harness.publisher.publish([as_map(f"kept-{number}", topic_id="kept") for number in range(100)])
    await harness.until_counts("kept", Sent=100)
    assert await harness.fleet.sidecar.stop() == 0
    before = harness.dump()
    assert len(before["email_requests"]) >= 100
    for file in harness.fleet.database.parent.glob("email.db*"):
        file.unlink()
    rebuild = Daemon(harness.fleet.database.parents[1], harness.variables | {"LEDGER": "jetstream"}, "rebuild")
    await rebuild.launch()
    assert (await rebuild.ended(), len(rebuild.log)) == (0, 1)
    assert harness.dump() == before
    await harness.fleet.sidecar.start()
    await harness.publisher.publish([as_map("kept-later", topic_id="kept")])
    await harness.until_counts("kept", Sent=101)


async def test_a_uuid_stands_for_its_recipients_wherever_its_mail_is(harness: FleetHarness) -> None:
    """Sent by one worker, waiting in the sidecar's keeping, or of the API: all workers know it."""
    later = {"scheduled_at": "2199-01-01T00:00:00Z"}
    message = {"topic_id": "uuids", "emails": ["api@example.com"], "subject": "s", "content": "b"}
    [of_api] = (await harness.ask("POST", "/v1/messages", {"messages": [message]}))["ids"]
    await harness.publisher.publish(
        [as_map("uuid-sent", topic_id="uuids"), as_map("uuid-later", topic_id="uuids", **later)]
    )
    await harness.until_counts("uuids", Sent=2, Created=1)
    others = [as_map(uuid, email="other@example.com") for uuid in ("uuid-sent", "uuid-later", of_api)]
    await harness.publisher.publish([*others, as_map("uuid-later", email="other@example.com", **later)])
    await harness.emptied()
    letters = (await harness.ask("GET", "/v1/dead-letters?kind=conflict"))["dead_letters"]
    assert len(letters) == 4
    assert await harness.sent("uuid-") == {"uuid-sent": 1}
    assert (await harness.ask("GET", "/v1/messages/uuid-later"))["status"] == "Created"
    history: list[dict[str, str]] = []
    while not history:  # the tables follow
        history = (await harness.ask("GET", "/v1/messages/uuid-sent"))["history"]
    assert [line["outcome"] for line in history] == ["conflict"]
    for letter in letters:
        await harness.ask("DELETE", f"/v1/dead-letters/{letter['sequence']}")
