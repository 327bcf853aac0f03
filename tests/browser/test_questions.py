"""What operators ask of the page, each question answered from a week of 20,000 mails in 40 topics."""

import csv
import io
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientResponse
from selenium.webdriver import Chrome

from tests.acceptance.clients.installation import installed
from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page
from tests.browser.past_week import COLD, DOUBTFUL, MAILS, TOPICS, zone_at_noon

_FETCH = "const done = arguments[1]; fetch(arguments[0]).then((answer) => answer.text()).then(done)"


@pytest.fixture(scope="module")
def held(harness: BrowserHarness) -> Iterator[str]:
    """A topic that an operator holds, with three mails that wait for it."""
    topic = "spring-sale-5"
    harness.ask("POST", "/v1/holds", {"key": f"topic:{topic}", "reason": "wrong prices"})
    mails = [as_map(f"held-{number}", topic_id=topic, email=f"held-{number}@example.com") for number in range(3)]
    harness.publish(mails)
    yield topic
    harness.ask("DELETE", f"/v1/holds/topic:{topic}")


def test_how_was_yesterday(page: Page) -> None:
    page.open("/#stats?range=yesterday")
    counts = {"sent": "2,470", "delivered": "2,420", "delayed": "20", "opened": "250", "bounced": "25"}
    counts |= {"soft_bounced": "25", "complained": "1", "failed": "20", "stopped": "10"}
    page.read('#stats [data-count="sent"] .value', counts["sent"])
    assert {name: page.text(f'#stats [data-count="{name}"] .value') for name in counts} == counts
    page.click('#stats [data-count="complained"] a')
    page.read("#mail .mail-row", "The recipient marked it as spam.")
    assert len(page.all("#mail .mail-row")) == 1


def test_what_was_just_sent(page: Page, harness: BrowserHarness) -> None:
    page.read("#just-sent", "Hello load-")
    page.click("#just-sent a", "All mail")
    page.wait(lambda: page.all("#mail .mail-row"))
    harness.publish([as_map("just-now", subject="A minute ago")])
    page.read('#mail [data-uuid="just-now"]', "A minute ago")
    page.read('#mail [data-uuid="just-now"]', "Delivered")


def test_what_became_of_this_one(page: Page) -> None:
    page.look_for(f"{COLD}-007")
    assert page.read("#mail h2", "Loyalty 5") == "Loyalty 5: what is new for you"
    page.read("#mail .reason", "The address does not exist.")
    steps = page.read("#mail .history:not(.recipients)", "Bounce")
    assert [word in steps for word in ("Created, from nats", "SES accepted it")] == [True, True]
    assert "hugo.blanc" in page.text("#mail .recipients")


def test_how_is_the_campaign_and_how_much_remains(page: Page, held: str) -> None:
    page.open(f"/#topics/{held}")
    page.read("#topics .progress", "3 mails remain")
    assert f"{MAILS} / {MAILS + 3}" in page.text("#topics .progress")
    page.read("#topics .rates", "98.0 % delivered")
    page.open(f"/#topics/{COLD}")
    page.read("#topics .progress", "Finished: nothing of it remains.")
    assert not page.find("#topics button.danger").is_displayed()
    reasons = " ".join(page.read("#topics .reasons", "The mailbox is full.").split())
    assert "Bounced 60 The address does not exist." in reasons
    assert "Stopped 2 suppressed: …: manual" in reasons


def test_who_bounced_as_a_file(page: Page) -> None:
    page.open(f"/#topics/{COLD}")
    page.wait(lambda: page.text("#topics a[download]") == "Who bounced (CSV)")
    text = page.driver.execute_async_script(_FETCH, page.find("#topics a[download]").get_attribute("href"))
    bounced = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [each["reason"] for each in bounced].count("Permanent/NoEmail") == 60
    assert {each["state"] for each in bounced} == {"bounced"}
    assert len({each["email"] for each in bounced}) == 65  # five with a full mailbox


def test_what_waits_and_why(page: Page, harness: BrowserHarness, held: str) -> None:
    page.go("waiting")
    page.read(f'#waiting [data-hold="topic:{held}"]', "held by operator: wrong prices")
    page.wait(lambda: "3 mails wait" in page.text(f'#waiting [data-hold="topic:{held}"]'))
    doubtful = harness.ask("GET", "/v1/in-doubt?limit=200")["mails"]
    assert sum(mail["uuid"].startswith(TOPICS[-1]) for mail in doubtful) == DOUBTFUL
    page.click("#waiting a", "in doubt")
    page.read(f'#in-doubt [data-uuid="{TOPICS[-1]}-{MAILS}"]', "the process ended during the attempt")


def test_which_numbers_need_me(page: Page, harness: BrowserHarness, held: str) -> None:
    harness.reject("needs@example.com", "no")
    harness.publish([as_map("needs", email="needs@example.com")])
    page.read("#attention", f"topic:{held} is held by operator")
    page.read("#attention", "Mail that could not be sent waits for a decision")
    page.read("#attention", "SES may or may not have accepted this mail.")
    for tile in ("dead", "doubt"):
        assert "alarm" in str(page.find(f"#tile-{tile}").get_attribute("class"))


def test_find_by_domain_or_prefix(page: Page) -> None:
    page.look_for("@gmail.exam")
    page.at("#mail?domain=gmail.example")
    page.wait(lambda: len(page.all("#mail .mail-row")) == 50)
    assert all("@gmail.example" in row.text for row in page.all("#mail .mail-row"))
    page.look_for("webinar")
    found = page.read("#find", "webinar-5")
    assert [f"webinar-{number}" in found for number in range(1, 6)] == [True] * 5
    page.look_for("hugo.blanc.38.7@")
    page.at("#mail?email=hugo.blanc.38.7%40gmx.example")


def test_hand_a_link_to_a_colleague(page: Page) -> None:
    page.open(f"/#mail?topic_id={COLD}&state=bounced")
    page.click("#mail .mail-row a.open")
    page.read("#mail ol.history", "Bounce")
    linked = page.run("return location.href").removeprefix(page.url)
    subject = page.text("#mail h2")
    page.driver.delete_all_cookies()
    page.open("/")
    page.open(linked)
    page.driver.refresh()
    page.log_in()
    page.read("#mail h2", subject)
    assert page.run("return location.href") == page.url + linked


async def _status(request: AbstractAsyncContextManager[ClientResponse]) -> int:
    async with request as answer:
        return answer.status


def test_is_this_local_mode(page: Page, harness: BrowserHarness, browser: Chrome, tmp_path: Path) -> None:
    assert page.text("#badges") == ""
    stack = AsyncExitStack()
    local = harness.do(stack.enter_async_context(installed(tmp_path)))
    try:
        other = Page(browser, local.url)
        other.open()
        other.log_in(local.api_key)
        assert other.read("#badges", "LOCAL MODE") == "LOCAL MODE"
        mail = {"emails": ["bounce@simulator.amazonses.com"], "subject": "Hello", "content": "<h1>Hi</h1>"}
        send = harness.session.post(
            f"{local.url}/v1/messages", json={"messages": [mail]}, headers={"X-API-KEY": local.api_key}
        )
        assert harness.do(_status(send)) == 200
        other.open("/#stats?range=hour")
        assert "too few mails to judge" in other.read('#stats [data-rate="bounced"]', "Bounce rate 100.0 %")
        other.open("/#now")
        assert other.complaints() == []
    finally:
        harness.do(stack.aclose())
        page.open_logged_in()


def test_which_time_zone(page: Page) -> None:
    mine = page.run("return Intl.DateTimeFormat().resolvedOptions().timeZone")
    zone = zone_at_noon()
    expected = f"Times: {mine}" + (f"; days begin in {zone}" if zone != mine else "")
    assert page.read("footer", mine) == expected


def test_what_do_the_rates_say_against_the_limits_of_ses(page: Page) -> None:
    page.open("/#stats?range=yesterday")
    page.read('#stats [data-rate="bounced"]', "Bounce rate 1.0 %")
    assert "SES reviews an account at 5.0 % and pauses it at 10.0 %" in page.text('#stats [data-rate="bounced"]')
    page.read('#stats [data-rate="complained"]', "Complaint rate 0.04 %")
    page.read("#stats", "SES allows unlimited recipients in 24 hours")


def test_what_does_replay_do(page: Page, harness: BrowserHarness) -> None:
    harness.reject("replayed@example.com", "not verified")
    harness.publish([as_map("replayed", email="replayed@example.com")])
    page.wait(lambda: harness.ask("GET", "/v1/messages/replayed").get("status") == "Failed")
    page.open("/#dead-letters?kind=rejected")
    page.click("#dead-letters .row:last-child .actions button", "Replay")
    question = page.read("#confirm-text", "goes back to the end of the queue and off this list.")
    assert "Replay it once the reason is gone" in question
    page.click("#confirm-no")
