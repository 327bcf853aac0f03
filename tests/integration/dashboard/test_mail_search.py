"""The mails of an address, however it was written."""

from pathlib import Path

import pytest

from email_consumer.dashboard import statements
from tests.integration.dashboard.rows import Rows, rows


async def found(it: Rows, email: str, **query: str | int) -> list[str]:
    status, answer = await it.get("/v1/messages", email=email, **query)
    assert status == 200, answer
    return [mail["uuid"] for mail in answer["mails"]]


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


async def test_a_mail_is_listed_with_its_outcome(tmp_path: Path) -> None:
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
                    "in_doubt": False,
                    "error": "rejected",
                    "created_at": "2001-09-09T01:46:40.000Z",
                }
            ],
            "next": None,
        }


async def test_pages_follow_each_other(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        await it.add(*["a@example.com", "A <a@example.com>"] * 3)
        _, first = await it.get("/v1/messages", email="a@example.com", limit=4)
        assert [mail["uuid"] for mail in first["mails"]] == ["u-6", "u-5", "u-4", "u-3"]
        assert await found(it, "a@example.com", limit=4, after=first["next"]) == ["u-2", "u-1"]


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "x" * 321])
async def test_what_is_no_address_is_refused(tmp_path: Path, email: str) -> None:
    async with rows(tmp_path) as it:
        assert (await it.get("/v1/messages", email=email))[0] == 422


async def test_a_search_goes_by_the_index_and_sorts_nothing(tmp_path: Path) -> None:
    async with rows(tmp_path) as it:
        place = {"address": "a@example.com", "before": 5, "limit": 5}
        plan = [row["detail"] for row in await it.database.fetch(f"EXPLAIN QUERY PLAN {statements.MAILS_TO}", place)]
        assert "SEARCH entry USING PRIMARY KEY (address=? AND request_id<?)" in plan
        assert "SEARCH email_requests USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
        assert not [line for line in plan if "SCAN email_requests" in line or "TEMP B-TREE" in line]
