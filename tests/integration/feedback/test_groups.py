"""Unsubscribe groups on the list: entries of one address come and go independently, over HTTP, by events and by links."""

from pathlib import Path
from typing import Any

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Stopped, StopReason
from email_consumer.suppression.suppression import BULK, Reason
from email_consumer.suppression.unsubscribe import LinkTarget
from tests.factories import ORIGIN, event, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness
from tests.integration.feedback.http_harness import UNSUBSCRIBE, HttpHarness, serve

LIST = "/v1/suppressions"
JANE = "jane@example.com"
FULL = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
MAILS: dict[str, dict[str, Any]] = {
    "news": {"unsubscribe_group": "news"},
    "offers": {"unsubscribe_group": "offers"},
    "bulk": {},
    "transactional": {"lane": "transactional"},
}


def passing(harness: FeedbackHarness) -> str:
    """The kinds of mail that Jane gets."""
    found = [
        name for name, fields in MAILS.items() if not harness.gate.check(mail("next", email=JANE, **fields), ORIGIN)
    ]
    return " ".join(found)


async def test_entries_of_an_address_are_added_listed_and_removed_one_by_one(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        _, news = await http.ask("POST", LIST, {"address": JANE, "group": "news", "detail": "by phone"})
        assert (news["reason"], news["group"], passing(harness)) == ("manual", "news", "offers bulk transactional")
        _, bulk = await http.ask("POST", LIST, {"address": JANE, "reason": "unsubscribed"})
        assert (bulk["group"], passing(harness)) == (None, "transactional")
        _, every = await http.ask("POST", LIST, {"address": JANE})
        assert passing(harness) == ""
        assert await http.ask("GET", f"{LIST}/{JANE}") == (200, every | {"also": [bulk, news]})
        assert await http.ask("GET", f"{LIST}/{JANE}?group=news") == (200, news | {"also": [every, bulk]})
        assert (await http.ask("GET", f"{LIST}/{JANE}?group=offers"))[0] == 404
        assert await http.ask("DELETE", f"{LIST}/{JANE}") == (200, every | {"also": [bulk, news]})
        assert passing(harness) == "transactional"
        assert await http.ask("DELETE", f"{LIST}/{JANE}?group=news") == (200, news | {"also": [bulk]})
        assert await http.ask("DELETE", f"{LIST}/{JANE}") == (200, bulk | {"also": []})
        assert passing(harness) == "news offers bulk transactional"


async def test_the_list_is_paged_entry_by_entry_and_filtered_by_group(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        for address in ("ann@example.com", JANE):
            for group in ("news", "offers", None):
                await http.ask("POST", LIST, {"address": address, "group": group})
        found, after = [], ""
        while after is not None:
            _, page = await http.ask("GET", f"{LIST}?limit=1&after={after}")
            found += [(each["address"], each["group"]) for each in page["suppressions"]]
            after = page["next"]
        assert found == [
            (address, group) for address in ("ann@example.com", JANE) for group in (None, "news", "offers")
        ]
        _, page = await http.ask("GET", f"{LIST}?group=offers")
        assert [(each["address"], each["group"]) for each in page["suppressions"]] == [
            ("ann@example.com", "offers"),
            (JANE, "offers"),
        ]
        _, page = await http.ask("GET", f"{LIST}?after=ann@example.com")  # the `next` of the previous version
        assert {each["address"] for each in page["suppressions"]} == {JANE}


@pytest.mark.parametrize(
    "document",
    [{"address": JANE, "group": "a b"}, {"address": JANE, "group": ""}, {"address": JANE, "reason": "complaint"}],
)
async def test_nonsense_is_refused(path: Path, document: object) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert (await http.ask("POST", LIST, document))[0] == 422
        assert (await http.ask("GET", f"{LIST}/{JANE}?group=a%20b"))[0] == 422
        assert passing(harness) == "news offers bulk transactional"


async def test_a_bounce_that_is_cleared_up_leaves_an_unsubscribe_in_force(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        await harness.suppressions.add(JANE, Reason.UNSUBSCRIBED, "", "recipient")
        await harness.take(event("Bounce"))
        assert passing(harness) == ""
        assert await harness.suppressions.remove(JANE)
        assert passing(harness) == "transactional"
        assert not await harness.suppressions.remove(JANE)
        assert await harness.suppressions.remove(JANE, BULK)
        assert passing(harness) == "news offers bulk transactional"


async def test_a_delivery_that_ends_a_series_of_soft_bounces_leaves_it_in_force_too(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=2) as harness:
        await harness.suppressions.add(JANE, Reason.UNSUBSCRIBED, "", "recipient")
        for number in (1, 2):
            fields = {"lane": "transactional"}
            await harness.send(f"soft-{number}", f"ses-{number}", **fields)
            await harness.take(event("Bounce", f"soft-{number}", message_id=f"ses-{number}", at=number, **FULL))
        assert passing(harness) == ""
        await harness.take(event("Delivery", "soft-1", message_id="ses-1", at=1.5))
        assert passing(harness) == "transactional"


async def test_each_entry_survives_a_restart(path: Path) -> None:
    async with open_harness(path) as harness:
        for group in ("news", "offers", None):
            await harness.suppressions.add(JANE, Reason.UNSUBSCRIBED, "", "recipient", group)
        await harness.suppressions.add(JANE, Reason.MANUAL, "", "api")
        await harness.suppressions.remove(JANE)
        await harness.suppressions.remove(JANE, f"{BULK}:offers")
    async with open_harness(path) as harness:
        assert passing(harness) == "transactional"
        await harness.suppressions.remove(JANE, BULK)
        assert passing(harness) == "offers bulk transactional"


async def test_a_mail_that_an_unsubscribe_stopped_is_sent_once_it_is_published_as_transactional(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.suppressions.add(JANE, Reason.UNSUBSCRIBED, "", "recipient")
        stopped = Stopped(StopReason.SUPPRESSED, f"{JANE}: unsubscribed")
        assert await harness.claim("u-1") == stopped
        await harness.finish(stopped, "u-1")
        assert isinstance(await harness.claim("u-1", lane="transactional"), Claim)


def link(group: str | None) -> str:
    return UNSUBSCRIBE.link(LinkTarget(JANE, group)).removeprefix("https://mail.example.com")


async def post(http: HttpHarness, path: str, body: str = "List-Unsubscribe=One-Click") -> int:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with http.session.post(http.url + path, data=body, headers=headers) as answer:
        return answer.status


async def test_one_click_leaves_the_group_of_the_mail_or_else_all_bulk_mail(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert [await post(http, link("news")) for _ in range(2)] == [200, 200]  # a double click
        assert passing(harness) == "offers bulk transactional"
        assert await post(http, link(None)) == 200
        assert passing(harness) == "transactional"
        entries = await harness.suppressions.entries(JANE)
        assert [(each.reason, each.group, each.source) for each in entries] == [
            (Reason.UNSUBSCRIBED, None, "recipient"),
            (Reason.UNSUBSCRIBED, "news", "recipient"),
        ]


async def test_a_person_may_choose_all_mailings_from_the_link_of_a_group(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        assert await post(http, link("news"), "List-Unsubscribe=One-Click&choice=group") == 200
        assert passing(harness) == "offers bulk transactional"
        assert await post(http, link("news"), "List-Unsubscribe=One-Click&choice=all") == 200
        assert passing(harness) == "transactional"


@pytest.mark.parametrize("group", ["news", None])
async def test_opening_the_link_unsubscribes_nobody(path: Path, group: str | None) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        for method in ("GET", "HEAD", "GET"):
            async with http.session.request(method, http.url + link(group)) as answer:
                assert (answer.status, answer.headers["Content-Language"]) == (200, "en")
        for wrong in (link(group)[:-1], link(group).replace("unsubscribe/", "unsubscribe/x"), "/v1/unsubscribe/x"):
            assert await post(http, wrong) == 404
        assert passing(harness) == "news offers bulk transactional"


async def test_a_wrong_link_is_answered_in_the_browsers_language(path: Path) -> None:
    async with open_harness(path) as harness, serve(harness) as http:
        headers = {"Accept-Language": "de-CH,en;q=0.5"}
        async with http.session.get(http.url + link("news")[:-1], headers=headers) as answer:
            assert (answer.status, answer.headers["Content-Language"]) == (404, "de")
            assert answer.headers["Vary"] == "Accept-Language"
            assert "Dieser Link funktioniert nicht" in await answer.text()
