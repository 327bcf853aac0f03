"""`POST /v1/messages` and what can be asked about the mail afterwards."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from yarl import URL

from email_consumer.core.link_secrets import LinkSecrets
from email_consumer.core.outcome import Failed, Rejected, Sent
from email_consumer.tracking.tokens import OpenTokens
from tests.factories import new_message
from tests.integration.api.harness import KEY, ApiHarness
from tests.waiting import until

FILE = {"filename": "a.txt", "content": "aGVsbG8="}


async def test_mail_is_stored_answered_and_published(harness: ApiHarness) -> None:
    answer = await harness.post(new_message("a@example.com", "B <b@example.com>", topic_id="t", text="plain"))
    assert {name: answer[name] for name in ("total", "success", "errors", "scheduled", "count")} == {
        "total": 2,
        "success": 2,
        "errors": 0,
        "scheduled": False,
        "count": 2,
    }
    assert answer["duration_ms"] >= 0
    assert answer["elapsed"].endswith("ms")
    pulled = await harness.pull(2)
    assert [message.uuid for message in pulled] == answer["ids"]
    assert [message.email for message in pulled] == ["a@example.com", "B <b@example.com>"]
    assert {(message.subject, message.body, message.text, message.topic_id) for message in pulled} == {
        ("s", "<p>b</p>", "plain", "t")
    }


async def test_camel_case_and_numbers_as_topics_are_taken(harness: ApiHarness) -> None:
    body = {
        "messages": [{"topicId": 7, "emails": ["a@example.com"], "subject": "s", "content": "c", "replyTo": "r@e.org"}]
    }
    status, _ = await harness.ask("POST", "/v1/messages", body)
    assert status == 200
    (message,) = await harness.pull(1)
    assert (message.topic_id, message.reply_to) == ("7", ("r@e.org",))


async def test_a_mail_may_be_text_alone(harness: ApiHarness) -> None:
    alone = {name: value for name, value in new_message(text="plain").items() if name != "content"}
    await harness.post(alone)
    (message,) = await harness.pull(1)
    assert (message.text_only, message.text) == (True, "plain")


async def test_bad_recipients_are_named_and_the_good_ones_go_on(harness: ApiHarness) -> None:
    answer = await harness.post(
        new_message("a@example.com", "nobody", "x@y\r\nBcc: z@example.com"), new_message("b@example.com")
    )
    assert (answer["total"], answer["success"], answer["errors"]) == (4, 2, 2)
    assert [uuid is None for uuid in answer["ids"]] == [False, True, True, False]
    assert [(refusal["message"], refusal["email"]) for refusal in answer["refused"]] == [(0, 1), (0, 2)]
    assert {message.email for message in await harness.pull(2)} == {"a@example.com", "b@example.com"}


async def test_an_address_gets_one_mail_of_a_message_and_one_of_each_message(harness: ApiHarness) -> None:
    answer = await harness.post(
        new_message("anna@example.com", "bea@example.com", "nobody", "Anna <ANNA@Example.com>"),
        new_message("anna@example.com", subject="another"),
    )
    assert {name: answer[name] for name in ("total", "success", "errors", "count", "merged")} == {
        "total": 5,
        "success": 4,
        "errors": 1,
        "count": 4,
        "merged": 1,
    }
    anna, bea, refused, again, another = answer["ids"]
    assert (refused, again) == (None, anna)
    pulled = await harness.pull(3)
    assert [(message.uuid, message.email) for message in pulled] == [
        (anna, "anna@example.com"),
        (bea, "bea@example.com"),
        (another, "anna@example.com"),
    ]


async def test_who_gets_the_mail_gets_no_copy_of_it(harness: ApiHarness) -> None:
    copies = {
        "cc": ["Bea <bea@example.com>", "c@example.com", "C@example.com"],
        "bcc": ["c@example.com", "d@example.com"],
    }
    await harness.post(new_message("anna@example.com", "BEA@example.com", **copies))
    anna, bea = await harness.pull(2)
    assert (anna.cc, anna.bcc) == (("Bea <bea@example.com>", "c@example.com"), ("d@example.com",))
    assert (bea.cc, bea.bcc) == (("c@example.com",), ("d@example.com",))


async def test_the_rows_know_what_their_uuids_stand_for(harness: ApiHarness) -> None:
    await harness.post(
        new_message("anna@example.com", cc=["bea@example.com"], headers={"X-A": "1"}, attachments=[FILE])
    )
    (message,) = await harness.pull(1)
    (row,) = await harness.database.fetch("SELECT recipients_hash, content_hash FROM email_requests")
    assert tuple(row) == message.fingerprint


async def test_without_one_good_recipient_nothing_is_stored(harness: ApiHarness) -> None:
    status, answer = await harness.ask("POST", "/v1/messages", {"messages": [new_message("nobody")]})
    assert (status, answer["error"]["code"], len(answer["error"]["refused"])) == (422, "no_recipient", 1)
    assert await harness.rows() == []


@pytest.mark.parametrize(
    ("fields", "status", "named"),
    [
        ({"scheduled_at": "tomorrow"}, 400, "scheduled_at"),
        ({"scheduledAt": "0"}, 400, "scheduled_at"),
        ({"scheduled_at": 1735123456}, 400, "scheduled_at"),
        ({"scheduled_at": "2024-13-01 09:00:00"}, 400, "scheduled_at"),
        ({"scheduled_at": "2024-12-25"}, 400, "scheduled_at"),
        ({"expires_at": "soon"}, 400, "expires_at"),
        ({"subject": "a\r\nBcc: b@example.com"}, 422, "subject"),
        ({"headers": {"Bcc": "b@example.com"}}, 422, "headers"),
        ({"emails": []}, 422, "emails"),
        ({"emails": ["a@example.com"] * 10_000}, 422, "10,001 recipients"),
        ({"cc": [f"c{number}@example.com" for number in range(50)]}, 422, "SES takes at most 50"),
        ({"content": None}, 422, "messages.1.content"),
        ({"content": None, "text": ""}, 422, "messages.1.content"),
        ({"content": "x" * 1_048_000}, 413, "NATS accepts"),
        ({"attachments": [{"filename": "f", "content": "no base64!"}]}, 422, "attachments.0.content"),
    ],
)
async def test_a_bad_message_stores_nothing(
    harness: ApiHarness, fields: dict[str, object], status: int, named: str
) -> None:
    answered, answer = await harness.ask(
        "POST", "/v1/messages", {"messages": [new_message(), {**new_message(), **fields}]}
    )
    assert answered == status
    assert named in str(answer["error"])
    assert await harness.rows() == []


async def test_ten_thousand_recipients_are_one_commit_and_one_content(harness: ApiHarness) -> None:
    emails = [f"user{number}@example.com" for number in range(10_000)]
    message = new_message(*emails, content="x" * 50_000, topic_id="t")
    posting = asyncio.create_task(harness.post(message, scheduled_at="2999-01-01T00:00:00Z"))
    seen = set()
    while not posting.done():
        seen |= set(await harness.rows("count(*)", ""))
    answer = await posting
    assert (answer["success"], answer["scheduled"]) == (10_000, True)
    assert seen <= {(0,), (10_000,)}
    assert await harness.rows("count(DISTINCT content_id), count(DISTINCT uuid)", "") == [(1, 10_000)]
    _, topic = await harness.ask("GET", "/v1/topics/t")
    assert topic["request_counts"]["Created"] == 10_000


async def test_the_same_key_and_body_get_the_same_answer_and_no_second_mail(harness: ApiHarness) -> None:
    async def post(subject: str) -> tuple[int, object]:
        body = {"messages": [new_message(subject=subject)]}
        return await harness.ask("POST", "/v1/messages", body, headers={"Idempotency-Key": "k-1"})

    (status, first), *others = await asyncio.gather(*(post("s") for _ in range(5)))
    assert status == 200
    assert others == [(200, first)] * 4
    assert await harness.rows("count(*)", "") == [(1,)]
    status, answer = await post("another")
    assert (status, answer["error"]["code"]) == (422, "key_reused")  # type: ignore[index]
    assert await harness.rows("count(*)", "") == [(1,)]


async def test_a_mail_shows_its_history(harness: ApiHarness) -> None:
    answer = await harness.post(new_message(topic_id="t"))
    (message,) = await harness.pull(1)
    await harness.finish(message, Failed("503 from SES"))
    await harness.finish(message, Sent("ses-1"))
    status, details = await harness.ask("GET", f"/v1/messages/{answer['ids'][0]}")
    assert status == 200
    assert (details["status"], details["message_id"], details["attempts"], details["topic_id"]) == (
        "Sent",
        "ses-1",
        2,
        "t",
    )
    assert [(entry["outcome"], entry["reason"]) for entry in details["history"]] == [("failed", "503 from SES")]
    assert details["finished_at"].endswith("Z")
    status, details = await harness.ask("GET", "/v1/messages/unknown")
    assert (status, details["error"]["code"]) == (404, "not_found")


async def test_counts_of_a_topic_follow_its_mail_under_all_paths(harness: ApiHarness) -> None:
    await harness.post(new_message("a@example.com", "b@example.com", "c@example.com", topic_id="a/b c"))
    first, second, _ = await harness.pull(3)
    await harness.finish(first, Sent("ses-1"))
    await harness.finish(second, Rejected("no"))
    _, topic = await harness.ask("GET", "/v1/topics/a%2Fb%20c")
    assert topic["request_counts"] == {"Created": 1, "Processed": 0, "Sent": 1, "Failed": 1, "Stopped": 0}
    assert topic["result_counts"] == {"Delivery": 0, "Bounce": 0, "Complaint": 0, "Open": 0}
    assert topic["cancellation"] is None
    _, plan = await harness.ask("GET", "/v1/results/count/a%2Fb%20c")
    assert plan == {"total": 3, "created": 1, "sent": 1, "failed": 1, "stopped": 0}
    for path in ("/v1/events/counts/sent", "/v1/events/counts/sent?hours=1", "/v1/results/sent?hours=168"):
        assert await harness.ask("GET", path) == (200, {"count": 1})
    for hours in ("0", "169", "x"):
        status, answer = await harness.ask("GET", f"/v1/events/counts/sent?hours={hours}")
        assert (status, answer["error"]["code"]) == (422, "invalid")


async def test_a_locked_file_is_reported_and_stores_nothing(harness: ApiHarness) -> None:
    with closing(sqlite3.connect(harness.database.path, isolation_level=None)) as other, other:
        other.execute("BEGIN IMMEDIATE")
        status, answer = await harness.ask("POST", "/v1/messages", {"messages": [new_message()]})
        other.execute("ROLLBACK")
    assert (status, answer["error"]["code"]) == (503, "storage_unavailable")
    assert await harness.rows() == []
    await harness.post(new_message())


async def test_an_open_is_recorded_once_the_pixel_is_fetched(harness: ApiHarness) -> None:
    answer = await harness.post(new_message(topic_id="t"))
    (message,) = await harness.pull(1)
    await harness.finish(message, Sent("ses-1"))
    async with harness.database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET finished_at = finished_at - 60")
    token = OpenTokens(LinkSecrets("secret")).sign(answer["ids"][0])
    bodies = set()
    for request_id in (token, token[:-1], "42", ""):
        url = f"{harness.url}/v1/events/open?request_id={request_id}"
        async with harness.session.get(
            url, headers={"User-Agent": "Mozilla/5.0 Firefox/140", "X-API-KEY": ""}
        ) as response:
            assert response.status == 200
            assert "no-store" in response.headers["Cache-Control"]
            bodies.add((response.content_type, await response.read()))
    assert len(bodies) == 1

    async def opened() -> bool:
        _, topic = await harness.ask("GET", "/v1/topics/t")
        return bool(topic["result_counts"]["Open"] == 1)

    await until(opened)
    assert len(await harness.database.fetch("SELECT * FROM email_results")) == 1


async def test_uploads_that_die_in_the_middle_keep_nobody_out(harness: ApiHarness) -> None:
    url = URL(harness.url)
    head = f"POST /v1/messages HTTP/1.1\r\nHost: {url.authority}\r\nX-API-KEY: {KEY}\r\nContent-Length: 9000\r\n"
    writers = []
    for _ in range(20):  # as many as may take turns and wait, and more
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n".encode())
        assert b"100 Continue" in await reader.readline()
        writer.write(b'{"messages": [')
        writers.append(writer)
    assert (await harness.post(new_message("a@example.com")))["success"] == 1
    for writer in writers:
        writer.close()
