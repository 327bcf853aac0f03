"""Odd values in `POST /v1/messages`: they mean the same as in a message over NATS, and never cause a 5xx."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from email_consumer.message.lane import Lane
from email_consumer.message.problems import MAX_LENGTH, MAX_PROBLEMS
from tests.factories import new_message
from tests.integration.api.harness import ApiHarness

JSON = {"Content-Type": "application/json"}
NEVER = "9999-12-31T23:59:59.9999999Z"
ZERO = "0001-01-01T00:00:00Z"
OPTIONAL = [
    "topic_id", "text", "from_email", "reply_to", "cc", "bcc", "headers", "attachments", "tags", "configuration_set",
    "track_opens", "track_clicks", "scheduled_at", "expires_at", "list_unsubscribe", "unsubscribe_group", "lane", "tenant",
    "send_window", "timezone",
]  # fmt: skip


@pytest.mark.parametrize("empty", [None, "", [], {}], ids=repr)
async def test_empty_values_are_not_given(empty: object, harness: ApiHarness) -> None:
    answer = await harness.post(
        new_message(**dict.fromkeys(OPTIONAL, empty)),
        scheduled_at=empty,
        lane=empty,
        tenant=empty,
        unsubscribe_group=empty,
    )
    assert (answer["scheduled"], answer["warnings"]) == (False, [])
    [message] = await harness.pull(1)
    assert message.model_fields_set == {"uuid", "email", "subject", "body"}


@pytest.mark.parametrize("value", [NEVER, ZERO, "0001-01-01t00:00:00z", "9999-12-31 23:59:59"])
async def test_never_and_zero_are_not_set(value: str, harness: ApiHarness) -> None:
    answer = await harness.post(new_message(scheduled_at=value, expires_at=value), scheduled_at=value)
    assert answer["scheduled"] is False
    [message] = await harness.pull(1)
    assert (message.scheduled_at, message.expires_at) == (None, None)
    assert (await harness.ask("GET", f"/v1/messages/{message.uuid}"))[0] == 200


async def test_a_message_whose_time_is_not_set_is_due_with_the_others(harness: ApiHarness) -> None:
    later = "2035-01-01T00:00:00Z"
    answer = await harness.post(
        new_message(scheduled_at=ZERO), new_message(scheduled_at=""), new_message(), scheduled_at=later
    )
    for uuid in answer["ids"]:
        _, shown = await harness.ask("GET", f"/v1/messages/{uuid}")
        assert shown["scheduled_at"] == "2035-01-01T00:00:00.000Z"


async def test_a_message_has_the_lane_and_group_of_the_request_unless_it_names_others(harness: ApiHarness) -> None:
    reset = new_message(lane="transactional", unsubscribeGroup="account")
    await harness.post(reset, new_message(lane=""), lane="bulk", unsubscribe_group="news")
    await harness.post(new_message())
    found = [(message.lane, message.unsubscribe_group) for message in await harness.pull(2)]
    assert found == [(Lane.BULK, "news"), (None, None)]
    [message] = await harness.pull(1, Lane.TRANSACTIONAL)
    assert (message.lane, message.unsubscribe_group) == (Lane.TRANSACTIONAL, "account")
    assert sorted(await harness.rows("lane, count(*)", "GROUP BY lane")) == [("bulk", 2), ("transactional", 1)]


async def test_a_message_has_the_tenant_of_the_request_unless_it_names_another(harness: ApiHarness) -> None:
    later = "2035-01-01T00:00:00Z"
    await harness.post(new_message(tenant="acme"), new_message(scheduled_at=later), tenant="umbrella")
    await harness.post(new_message())
    found = sorted([message.tenant or "" for message in await harness.pull(2)])
    assert found == ["", "acme"]
    assert await harness.rows("tenant", "ORDER BY id") == [("acme",), ("umbrella",), (None,)]


async def test_scheduled_mail_keeps_its_lane_and_group(harness: ApiHarness) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await harness.post(new_message(unsubscribe_group="news", tenant="acme"), lane="transactional", scheduled_at=soon)
    [message] = await harness.pull(1, Lane.TRANSACTIONAL)
    assert (message.lane, message.unsubscribe_group, message.tenant) == (Lane.TRANSACTIONAL, "news", "acme")


async def test_the_latest_time_of_all_can_be_kept_and_read(harness: ApiHarness) -> None:
    latest = "9998-12-31T23:59:59Z"
    answer = await harness.post(new_message(scheduled_at=latest, topic_id="t"), new_message(expires_at=latest))
    for uuid in answer["ids"]:
        assert (await harness.ask("GET", f"/v1/messages/{uuid}"))[0] == 200
    [message] = await harness.pull(1)
    assert message.expires_at
    assert message.expires_at.year == 9998


@pytest.mark.parametrize(
    ("fields", "top", "status", "named"),
    [
        ({"scheduled_at": "1970-01-01T00:00:00Z"}, {}, 400, "messages.0.scheduled_at is before the year 2000"),
        ({"expiresAt": "1999-12-31T23:59:59Z"}, {}, 400, "messages.0.expires_at is before the year 2000"),
        ({}, {"scheduled_at": "1900-01-01 00:00:00"}, 400, "scheduled_at is before the year 2000"),
        ({}, {"scheduledAt": 253402300799}, 400, "scheduled_at is not a time"),
        ({"expires_at": "2034-01-01T00:00:00Z"}, {"scheduled_at": "2035-01-01T00:00:00Z"}, 422, "could never be sent"),
        ({"schedule_at": "2035-01-01T00:00:00Z"}, {}, 422, "did you mean 'scheduled_at'"),
        ({"expire_at": "2035-01-01T00:00:00Z"}, {}, 422, "did you mean 'expires_at'"),
        ({"Cc": "c@example.com"}, {}, 422, "did you mean 'cc'"),
        ({"bbc": "c@example.com"}, {}, 422, "did you mean 'bcc'"),
        ({"topicID": "t"}, {}, 422, "did you mean 'topic_id'"),
        ({}, {"scheduleAt": "2035-01-01T00:00:00Z"}, 422, "did you mean 'scheduled_at'"),
        ({}, {"expires_at": "2035-01-01T00:00:00Z"}, 422, "expires_at belongs into each message"),
        ({}, {"expiresAt": "2035-01-01T00:00:00Z"}, 422, "expires_at belongs into each message"),
        ({"tenant": "a b"}, {}, 422, "messages.0.tenant"),
        ({}, {"tenant": "a" * 65}, 422, "tenant"),
        ({"send_window": "weekdays"}, {}, 422, "messages.0.send_window: must be such as"),
        ({}, {"send_window": {"day": "mon"}}, 422, "send_window: may have days"),
        ({"timezone": "Mars/Olympus"}, {}, 422, "messages.0.timezone"),
        ({"list_unsubscribe": "yes"}, {}, 422, "neither true nor false"),
        ({"lane": "urgent"}, {}, 422, "messages.0.lane"),
        ({}, {"lane": "urgent"}, 422, "lane"),
        ({"lnae": "transactional"}, {}, 422, "did you mean 'lane'"),
        ({}, {"lanes": "transactional"}, 422, "did you mean 'lane'"),
        ({"unsubscribe_group": "a b"}, {}, 422, "messages.0.unsubscribe_group"),
        ({}, {"unsubscribe_groups": "news"}, 422, "did you mean 'unsubscribe_group'"),
        ({"emails": [7] * 10_000}, {}, 422, "messages.0.emails.0"),
        ({"emails": [7] * 10_001}, {}, 422, "10,001 entries"),
        ({"cc": ["x"] * 51}, {}, 422, "messages.0.cc: has 51 entries"),
        ({"headers": {str(n): n for n in range(50_000)}}, {}, 422, "messages.0.headers: has 50,000 entries"),
        ({"attachments": [{}] * 100_000}, {}, 422, "messages.0.attachments: has 100,000 entries"),
        ({f"key {n}": n for n in range(50_000)}, {}, 422, "messages.0: has 50,003 keys"),
        ({"metadata": [[]] * 255_000}, {}, 413, "250,000 keys and values"),
    ],
)
async def test_refused_with_a_short_reason_and_nothing_is_stored(
    fields: dict[str, Any], top: dict[str, Any], status: int, named: str, harness: ApiHarness
) -> None:
    answered, answer = await harness.ask("POST", "/v1/messages", {"messages": [new_message(**fields)], **top})
    assert answered == status
    assert named in json.dumps(answer)
    assert len(json.dumps(answer)) < 2 * MAX_PROBLEMS * MAX_LENGTH
    assert await harness.rows() == []


async def test_thousands_of_wrong_messages_are_left_at_the_first(harness: ApiHarness) -> None:
    wrong = {"emails": 1, "subject": 2, "content": 3, "text": 4, "cc": 5, "tags": 6, "headers": 7, "attachments": 8}
    status, answer = await harness.ask("POST", "/v1/messages", {"messages": [wrong] * 5_000})
    assert status == 422
    assert {field.split(".")[1] for field in answer["error"]["fields"]} == {"0"}


async def test_unknown_keys_are_ignored_and_named(harness: ApiHarness) -> None:
    answer = await harness.post(new_message(html="<p>", priority=1), new_message(priority=2), campaign="c")
    assert [warning.split(":")[0] for warning in answer["warnings"]] == ["campaign", "html", "priority"]
    assert len(await harness.pull(2)) == 2


async def test_warnings_are_few_and_short(harness: ApiHarness) -> None:
    answer = await harness.post(new_message(**{f"{n}{'x' * 1_000}": n for n in range(1_000)}))
    assert len(answer["warnings"]) == 20
    assert max(map(len, answer["warnings"])) < 200


async def test_json_with_a_byte_order_mark_is_json(harness: ApiHarness) -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"messages": [new_message()]}).encode()
    async with harness.session.post(f"{harness.url}/v1/messages", data=body, headers=JSON) as response:
        assert response.status == 200
    assert await harness.pull(1)


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b"{}", b"[]", b"7", b'"\xff"', b"", b'{"messages": NaN}', b"[1,"])
async def test_what_is_no_request_is_never_an_error_of_ours(body: bytes, harness: ApiHarness) -> None:
    async with harness.session.post(f"{harness.url}/v1/messages", data=body, headers=JSON) as response:
        assert response.status in {400, 413, 422}
        assert "error" in await response.json()


@pytest.mark.parametrize("seconds", [253402300800.0, 1e300, -62135596801.0, float("inf")])
async def test_a_row_of_the_version_before_can_be_read(seconds: float, harness: ApiHarness) -> None:
    [uuid] = (await harness.post(new_message(topic_id="t", scheduled_at="2035-01-01T00:00:00Z")))["ids"]
    async with harness.database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET scheduled_at = ?, expires_at = ?", (seconds, abs(seconds)))
    status, shown = await harness.ask("GET", f"/v1/messages/{uuid}")
    assert status == 200
    assert datetime.fromisoformat(shown["scheduled_at"])
    assert datetime.fromisoformat(shown["expires_at"])
    assert (await harness.ask("GET", "/v1/topics/t"))[0] == 200


@pytest.mark.parametrize("expires_at", [253402300800.0, 1e300])
async def test_a_mail_of_the_version_before_that_expires_never_is_sent(expires_at: float, harness: ApiHarness) -> None:
    await harness.post(new_message(scheduled_at="2035-01-01T00:00:00Z"))
    async with harness.database.transaction() as connection:
        await connection.execute("UPDATE email_requests SET scheduled_at = 1.0, expires_at = ?", (expires_at,))
    harness.scheduler.wake()
    [message] = await harness.pull(1)
    assert message.expires_at is None


@pytest.mark.parametrize("number", ["9223372036854775808", "1" * 100, "1" * 5_000, "-1", "1e300", "٣", "inf", "0x10"])
async def test_a_number_that_no_place_can_hold_is_never_an_error_of_ours(number: str, harness: ApiHarness) -> None:
    for path in (
        f"/v1/events/counts/sent?hours={number}",
        f"/v1/results/sent?hours={number}",
        f"/v1/dead-letters?limit={number}",
        f"/v1/dead-letters?after={number}",
        f"/v1/dead-letters/{number}",
    ):
        async with harness.session.get(harness.url + path) as response:
            assert response.status in {404, 422}, path
