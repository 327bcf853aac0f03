"""Each route through HTTP, on the whole daemon."""

import json
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.api.conftest import KEY, Api, many, serving
from tests.acceptance.conftest import DaemonHarness
from tests.acceptance.publisher import as_map
from tests.factories import new_message
from tests.servers.program import run_program


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_mail_of_the_api_is_sent_counted_and_has_a_history(api: Api) -> None:
    answer = await api.post(new_message("a@example.com", "b@example.com", topic_id="t", reply_to="r@example.com"))
    await api.harness.wait_sent(2)
    await api.harness.emptied()
    assert await api.harness.sent() == dict.fromkeys(answer["ids"], 1)
    _, topic = await api.ask("GET", "/v1/topics/t")
    assert topic["request_counts"] == {"Created": 0, "Processed": 0, "Sent": 2, "Failed": 0, "Stopped": 0}
    _, details = await api.ask("GET", f"/v1/messages/{answer['ids'][0]}")
    assert (details["status"], details["email"], details["attempts"]) == ("Sent", "a@example.com", 1)
    assert details["message_id"]
    assert await api.ask("GET", "/v1/events/counts/sent?hours=1") == (200, {"count": 2})
    assert await api.ask("GET", "/v1/results/sent") == (200, {"count": 2})
    plan = {"total": 2, "created": 0, "sent": 2, "failed": 0, "stopped": 0}
    assert await api.ask("GET", "/v1/results/count/t") == (200, plan)


async def test_mail_of_nats_counts_for_its_topic_too(api: Api) -> None:
    await api.harness.publisher.publish([as_map("n-1", topicId="t")])
    await api.harness.emptied()
    _, topic = await api.ask("GET", "/v1/topics/t")
    assert topic["request_counts"]["Sent"] == 1


async def test_a_suppressed_copy_does_not_stop_the_mail(api: Api) -> None:
    await api.ask("POST", "/v1/suppressions", {"address": "archive@example.com", "detail": "bounced once"})
    await api.harness.publisher.publish([as_map("n-1", bcc=["Archive <Archive@Example.com>"], cc=["c@example.com"])])
    await api.harness.wait_sent(1)
    await api.harness.emptied()
    [message] = (await api.harness.sandbox.get("/messages"))["messages"]
    assert (message["to"], message["cc"], message["bcc"]) == (["you@example.com"], ["c@example.com"], [])
    _, details = await api.ask("GET", "/v1/messages/n-1")
    assert (details["status"], details["error"]) == ("Sent", None)
    [left_out] = [(each["kind"], each["recipient"], each["detail"]) for each in details["results"]]
    assert left_out == ("Suppressed", "archive@example.com", {"reason": "manual"})
    url = f"http://127.0.0.1:{api.port}/metrics"
    async with api.session.get(url) as answer:
        metrics = await answer.text()
    assert "email_copies_left_out_total 1.0" in metrics
    assert "email_recipients_sent_total 2.0" in metrics


async def test_the_pixel_of_a_mail_leads_to_an_open(api: Api) -> None:
    await api.post(
        new_message(topic_id="t", content="<html><body>Hi</BODY></html>"),
        new_message("off@example.com", track_opens=False),
    )
    await api.harness.wait_sent(2)
    await api.harness.emptied()
    bodies = {}
    for message in (await api.harness.sandbox.get("/messages"))["messages"]:
        bodies[message["to"][0]] = message["html"]
    assert bodies["off@example.com"] == "<p>b</p>"
    found = re.fullmatch(
        r'<html><body>Hi<img src="http://localhost:3000(/v1/events/open\?request_id=[\w.-]+)" [^<>]*></BODY></html>',
        bodies["a@example.com"],
    )
    assert found
    with closing(sqlite3.connect(api.harness.directory / "daemon" / "data" / "email.db")) as connection, connection:
        connection.execute("UPDATE email_requests SET finished_at = finished_at - 60")  # nobody reads within a second
    url = f"http://127.0.0.1:{api.port}{found[1]}"
    async with api.session.get(url, headers={"User-Agent": "Mozilla/5.0 (X11) Firefox/140"}) as response:
        assert response.content_type == "image/gif"
    counts: dict[str, int] = {}
    while not counts.get("Open"):
        counts = (await api.ask("GET", "/v1/topics/t"))[1]["result_counts"]
    assert counts == {"Delivery": 0, "Bounce": 0, "Complaint": 0, "Open": 1}


@pytest.mark.parametrize("source", ["api", "nats"])
async def test_a_schedule_fires_at_its_time_after_a_restart_too(api: Api, source: str) -> None:
    later = "2999-01-01T00:00:00Z"
    if source == "api":
        assert (await api.post(new_message(*many(1000)), scheduled_at=later))["scheduled"]
    else:
        await api.harness.publisher.publish([as_map(f"n-{number}", scheduled_at=later) for number in range(1000)])
        await api.harness.emptied()
    assert await api.daemon.stop() == 0
    due = time.time() + 2
    with closing(sqlite3.connect(api.harness.directory / "daemon" / "data" / "email.db")) as connection, connection:
        connection.execute("UPDATE email_requests SET scheduled_at = ?", (due,))
    await api.daemon.start()
    await api.harness.wait_sent(1000)
    assert await first_arrival(api.harness) >= due


async def test_a_mail_scheduled_over_nats_fires_in_the_same_life(api: Api) -> None:
    due = time.time() + 1.5
    await api.harness.publisher.publish([as_map("n-1", scheduledAt=datetime.fromtimestamp(due, UTC).isoformat())])
    await api.harness.wait_sent(1)
    assert await first_arrival(api.harness) >= due


async def first_arrival(harness: DaemonHarness) -> float:
    """By the clock of this machine, which all of its processes share."""
    return min(float(at) for at, _ in (await harness.sandbox.get("/messages/timeline"))["timeline"])


async def test_cancelling_in_the_middle_of_ten_thousand(harness: DaemonHarness) -> None:
    async with serving(harness, SES_RATE_PER_SEC=400) as api:
        await api.post(new_message(*many(10_000), topic_id="t"))
        await harness.wait_sent(300)
        status, receipt = await api.ask("DELETE", "/v1/topics/t")
        counted = (await harness.sandbox.get("/messages/count"))["count"]
        assert status == 200
        assert receipt["cancelled"] + receipt["sent"] + receipt["in_flight"] == 10_000
        assert receipt["cancelled"] > 5000
        assert receipt["sent"] <= counted
        while not receipt["final"]:
            receipt = (await api.ask("GET", "/v1/topics/t"))[1]["cancellation"]
        counted = (await harness.sandbox.get("/messages/count"))["count"]
        assert receipt["in_flight"] == 0
        assert receipt["sent"] == counted == 10_000 - receipt["cancelled"]
        later = await api.post(new_message(topic_id="t"))
        await harness.wait_sent(counted + 1)
    assert later["ids"][0] in await harness.sent()
    with closing(sqlite3.connect(harness.directory / "daemon" / "data" / "email.db")) as connection, connection:
        rows = dict(connection.execute("SELECT status, count(*) FROM email_requests GROUP BY status"))
    assert rows[4] == receipt["cancelled"]


async def test_what_is_queued_in_jetstream_is_cancelled_too(harness: DaemonHarness) -> None:
    async with serving(harness, SES_RATE_PER_SEC=200) as api:
        await harness.publisher.publish(as_map(f"n-{number}", topic_id="t") for number in range(3000))
        await harness.wait_sent(100)
        _, receipt = await api.ask("DELETE", "/v1/topics/t")
        await harness.publisher.publish([as_map("later", topic_id="t")])
        while not receipt["final"]:
            receipt = (await api.ask("GET", "/v1/topics/t"))[1]["cancellation"]
        await harness.emptied()
        receipt = (await api.ask("GET", "/v1/topics/t"))[1]["cancellation"]
    sent = await harness.sent()
    assert "later" in sent
    assert receipt["cancelled"] + receipt["sent"] == 3001
    assert len(sent) == receipt["sent"] < 1500


async def test_the_commands_speak_to_the_running_daemon(api: Api) -> None:
    await api.post(new_message(topic_id="a b/c"), scheduled_at=in_seconds(3600))
    variables = {"SERVER_PORT": str(api.port), "API_KEY": KEY}
    assert await run(variables, "cancel", "a b/c") == (0, "Cancelled 1, sent 0, in flight 0.\n", "")
    status, out, error = await run(variables, "cancel", "unheard-of", "--json", "--no-wait")
    assert (status, json.loads(out)["known"]) == (0, False)
    assert "'unheard-of' is not known yet; its cancellation is registered" in error
    status, out, error = await run(variables, "stats", "nowhere")
    assert (status, out, "topic 'nowhere' is not known" in error) == (1, "", True)
    status, out, _ = await run(variables, "stats", "a b/c")
    assert (status, re.findall(r"(\w+) +(\d+)$", out, re.MULTILINE)[4]) == (0, ("Stopped", "1"))
    assert "Cancelled 1" in out
    status, out, _ = await run(variables, "stats")
    assert "All is up." in out
    status, out, error = await run(variables | {"API_KEY": "wrong"}, "stats")
    assert (status, out) == (1, "")
    assert "API_KEY is not the running program's" in error
    await api.daemon.stop()
    status, _, error = await run(variables, "cancel", "t")
    assert (status, "is `email-consumer run` running" in error) == (1, True)


async def run(variables: dict[str, str], *command: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    return await run_program(*command, directory=Path(), environment=variables)
