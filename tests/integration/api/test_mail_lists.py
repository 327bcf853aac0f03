"""Lists of mail: by what they are narrowed, in pages and as a whole."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from email_consumer.api import mail_lists, statements
from email_consumer.api.mail_filter import MailFilter, search
from email_consumer.store import mail_index
from email_consumer.store.mail_state import MailState
from tests.integration.dashboard.rows import Rows, rows


async def listed(it: Rows, **query: str | int) -> list[str]:
    status, answer = await it.get("/v1/messages", **query)
    assert status == 200, answer
    assert answer["next"] is None
    return [mail["uuid"] for mail in answer["mails"]]


async def found(it: Rows, email: str) -> list[str]:
    return await listed(it, email=email)


async def test_an_address_is_found_however_it_was_written(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add(
            "anna@example.com",
            "Anna@Example.COM",
            "Anna <anna@example.com>",
            '"An<n>a" <ANNA@example.com>',
            "other@example.com",
            "anna@example.com.evil.example",
        )
        for written in ("anna@example.com", "ANNA@example.com", "A <Anna@example.com>"):
            assert await found(it, written) == ["u-4", "u-3", "u-2", "u-1"]
        assert await found(it, "nobody@example.com") == []


async def test_an_international_domain_is_found_in_letters_and_in_punycode(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add("a@bücher.example", "a@xn--bcher-kva.example", "B < a@BÜCHER.example >", ' "A"@bücher.example')
        for written in ("a@bücher.example", "A@xn--bcher-kva.example", '"a"@Bücher.example'):
            assert await found(it, written) == ["u-4", "u-3", "u-2", "u-1"]


async def test_a_mail_is_listed_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add("Anna <anna@example.com>", topic="t", status=3, error="rejected")
        _, answer = await it.get("/v1/messages", email="anna@example.com")
        assert answer == {
            "mails": [
                {
                    "uuid": "u-1",
                    "topic_id": "t",
                    "email": "Anna <anna@example.com>",
                    "status": "Failed",
                    "state": "failed",
                    "reason": "rejected",
                    "in_doubt": False,
                    "error": "rejected",
                    "lane": "bulk",
                    "tenant": None,
                    "subject": None,
                    "source": "nats",
                    "message_id": None,
                    "scheduled_at": None,
                    "created_at": "2001-09-09T01:46:40.000Z",
                    "finished_at": None,
                }
            ],
            "next": None,
        }


async def results(it: Rows, *given: tuple[int, str, str]) -> None:
    """Mail, kind and detail of each, of the mail's own recipient."""
    for mail, kind, detail in given:
        await it.execute(
            """
            INSERT INTO email_results (request_id, status, recipient, detail, created_at)
            SELECT id, ?, coalesce(address, email), ?, 2e9 FROM email_requests WHERE id = ?
            """,
            (kind, detail, mail),
        )


async def extend(it: Rows) -> None:
    await it.database.call(lambda: mail_index.extend)


@pytest.mark.parametrize("indexed", [0, 3, 6])
async def test_by_each_filter_whatever_the_index_has_already(tmp_path: Path, indexed: int) -> None:
    async with rows(tmp_path) as it:
        for number in range(6):
            email = f"{'ab'[number % 2]}@{'one.example' if number < 3 else 'bücher.example'}"
            await it.add(email, topic="even" if number % 2 else None, at=1e9 + number)
            if number + 1 == indexed:
                await extend(it)
        await it.execute("UPDATE email_requests SET lane = 'transactional' WHERE id IN (2, 3)")
        await it.execute("UPDATE email_requests SET lane = 'bulk' WHERE id = 1")
        await it.execute("UPDATE email_requests SET tenant = 'acme' WHERE id IN (1, 5)")
        assert await listed(it) == ["u-6", "u-5", "u-4", "u-3", "u-2", "u-1"]
        assert await listed(it, topic_id="even") == ["u-6", "u-4", "u-2"]
        assert await listed(it, topicId="even") == ["u-6", "u-4", "u-2"]
        assert await listed(it, domain="ONE.example") == ["u-3", "u-2", "u-1"]
        assert await listed(it, domain="xn--bcher-kva.example") == await listed(it, domain="bücher.example")
        assert await listed(it, domain="xn--bcher-kva.example") == ["u-6", "u-5", "u-4"]
        assert await listed(it, lane="transactional") == ["u-3", "u-2"]
        assert await listed(it, lane="bulk", domain="one.example") == ["u-1"]
        assert await listed(it, tenant="acme") == ["u-5", "u-1"]
        assert await listed(it, tenant="acme", domain="one.example") == ["u-1"]
        assert await listed(it, since="2001-09-09T01:46:42Z", until="2001-09-09T01:46:44Z") == ["u-4", "u-3"]
        assert await listed(it, since="2001-09-09 10:46:44") == ["u-6", "u-5"]  # in TIMEZONE
        assert await listed(it, topic_id="even", until="2001-09-09T01:46:43Z") == ["u-2"]
        assert await listed(it, email="a@one.example", topic_id="even") == []
        assert await listed(it, topic_id="nothing") == await listed(it, domain="nothing.example") == []


async def test_by_state(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        for state in (2, 2, 2, 2, 2, 3, 4, 0, 0, 1, 1, 2):
            await it.add("a@example.com", topic="t", status=state)
        await it.execute("UPDATE email_requests SET scheduled_at = 9e9 WHERE id = 9")
        await it.execute("UPDATE email_requests SET in_doubt = 1 WHERE id = 11")
        await results(
            it,
            (1, "Bounce", "Permanent/General"),
            (2, "Delivery", ""),
            (3, "Complaint", "abuse"),
            (4, "DeliveryDelay", "MailboxFull"),
            (5, "DeliveryDelay", "MailboxFull"),
            (5, "Delivery", ""),
            (12, "Reject", "Bad content"),
        )
        expected = {
            "bounced": ["u-1"],
            "delivered": ["u-5", "u-2"],
            "complained": ["u-3"],
            "delayed": ["u-4"],
            "failed": ["u-12", "u-6"],
            "stopped": ["u-7"],
            "queued": ["u-8"],
            "scheduled": ["u-9"],
            "sending": ["u-10"],
            "in_doubt": ["u-11"],
            "sent": [],
        }
        assert expected.keys() == set(MailState)
        for state_name, uuids in expected.items():
            assert await listed(it, state=state_name) == uuids
            assert await listed(it, state=state_name, topic_id="t") == uuids
            assert await listed(it, state=state_name, topic_id="other") == []
        assert await listed(it, state="in-doubt") == ["u-11"]  # as dead letters spell it
        status, answer = await it.get("/v1/messages", state="lost")
        assert (status, "'in_doubt'" in answer["error"]["message"]) == (422, True)
        await it.execute("UPDATE email_requests SET status = 2 WHERE id = 6")  # replayed
        assert await listed(it, state="failed") == ["u-12"]
        await it.execute("UPDATE email_requests SET status = 4 WHERE id = 6")
        assert await listed(it, state="stopped") == ["u-7", "u-6"]
        await it.execute("DELETE FROM email_requests WHERE id = 12")
        await it.add("b@example.com")  # gets the id of the deleted one
        assert await listed(it, state="failed") == []


async def test_the_bounced_addresses_of_a_topic_in_one_call(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add(*(f"u{number}@example.com" for number in range(20)), topic="t")
        await results(it, *((number, "Bounce", "Permanent/NoEmail") for number in (3, 7)))
        _, answer = await it.get("/v1/messages", topic_id="t", state="bounced", limit=200)
        assert [(mail["email"], mail["reason"]) for mail in answer["mails"]] == [
            ("u6@example.com", "Permanent/NoEmail"),
            ("u2@example.com", "Permanent/NoEmail"),
        ]


async def test_what_happened_to_a_copy_is_not_the_state_of_the_mail(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add("a@example.com")
        await it.execute(
            "INSERT INTO email_results (request_id, status, recipient, created_at) VALUES (1, 'Bounce', 'c@example.com', 1)"
        )
        assert await listed(it, state="bounced") == []
        assert await listed(it, state="sent") == ["u-1"]


async def test_pages_follow_each_other_and_stay_as_mail_comes(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add(*["a@example.com", "A <a@example.com>"] * 3)
        await extend(it)
        _, first = await it.get("/v1/messages", email="a@example.com", limit=4)
        assert [mail["uuid"] for mail in first["mails"]] == ["u-6", "u-5", "u-4", "u-3"]
        await it.add("a@example.com")
        assert await listed(it, email="a@example.com", limit=4, after=first["next"]) == ["u-2", "u-1"]


async def test_a_page_ends_early_where_little_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_lists, "_STEP", 4)
    monkeypatch.setattr(mail_lists, "_MOST", 8)
    async with rows(tmp_path) as it:
        await it.add(*["a@example.com"] * 20)
        await results(it, (2, "Delivery", ""), (11, "Delivery", ""))
        pages, after = [], ""
        while after is not None:
            _, answer = await it.get("/v1/messages", state="delivered", limit=4, after=after)
            pages.append([mail["uuid"] for mail in answer["mails"]])
            after = answer["next"]
        assert pages == [[], ["u-11"], ["u-2"]]


@pytest.mark.parametrize("email", ["nobody", "a@b@c", "x" * 321])
async def test_what_is_no_address_is_refused(tmp_path: Path, email: str) -> None:
    async with rows(tmp_path) as it:
        assert (await it.get("/v1/messages", email=email))[0] == 422


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"topic": "t"}, 422),
        ({"state": "lost"}, 422),
        ({"domain": "no domain"}, 422),
        ({"domain": "a@b"}, 422),
        ({"lane": "fast"}, 422),
        ({"since": "yesterday"}, 400),
        ({"after": "x"}, 422),
    ],
    ids=str,
)
async def test_what_cannot_be_meant_is_refused(tmp_path: Path, query: dict[str, str], status: int) -> None:
    async with rows(tmp_path) as it:
        for path in ("/v1/messages", "/v1/messages.csv"):
            assert (await it.get(path, **query))[0] == status


async def test_times_in_a_table_with_gaps(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        for number in range(40):
            await it.add("a@example.com", at=1e9 + number)
        await it.execute("DELETE FROM email_requests WHERE id % 3 = 0 OR id BETWEEN 10 AND 20 OR id < 4")
        left = [row["id"] for row in await it.database.fetch("SELECT id FROM email_requests ORDER BY id DESC")]
        for second in (-5, 0, 3, 8, 14, 22, 39, 45):
            since = datetime.fromtimestamp(1e9 + second, UTC).isoformat()
            assert await listed(it, since=since, limit=200) == [f"u-{each}" for each in left if each - 1 >= second]
            assert await listed(it, until=since, limit=200) == [f"u-{each}" for each in left if each - 1 < second]


@pytest.mark.parametrize(
    "query",
    [
        {"email": "a@example.com"},
        {"domain": "example.com"},
        {"topic_id": "t"},
        {"state": "bounced"},
        {"state": "bounced", "topic_id": "t"},
        {"state": "in_doubt"},
        {},
    ],
    ids=str,
)
async def test_a_list_goes_by_an_index_and_sorts_nothing_large(tmp_path: Path, query: dict[str, str]) -> None:
    async with rows(tmp_path) as it:
        wanted = search(MailFilter.model_validate(query), UTC)
        place = {"value": "x", "topic_id": "t", "first": 0, "before": 5, "limit": 5}
        plan = [row["detail"] for row in await it.database.fetch(f"EXPLAIN QUERY PLAN {wanted.ids}", place)]
        scans = {line for line in plan if line.startswith("SCAN") and "USING" not in line and "subquery" not in line}
        assert scans <= {"SCAN mail_addresses_progress", "SCAN CONSTANT ROW"}  # one row each
        checks = {**wanted.checked, "ids": "[]"}
        plan = [row["detail"] for row in await it.database.fetch(f"EXPLAIN QUERY PLAN {statements.LISTED}", checks)]
        assert "SEARCH mail USING INTEGER PRIMARY KEY (rowid=?)" in plan
        assert [line for line in plan if "email_results" in line] == [
            "SEARCH email_results USING INDEX email_results_request (request_id=?)"
        ]
