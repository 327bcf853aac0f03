"""Topics: their bars, and the cancel button with its receipt."""

import re

from selenium.webdriver.common.keys import Keys

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page

BARS = ("all", "sent", "delivered", "opened", "bounced", "complained")


def row(topic: str) -> str:
    return f'#topics [data-topic="{topic}"]'


def bars(page: Page, topic: str) -> dict[str, str]:
    return {name: page.text(f"{row(topic)} .{name} b") for name in BARS}


def test_a_topic_shows_what_became_of_its_mail(page: Page, harness: BrowserHarness) -> None:
    mails = {"delivered-1": "one@example.com", "delivered-2": "two@example.com"}
    mails |= {"bounced": "bounce@simulator.amazonses.com", "complained": "complaint@simulator.amazonses.com"}
    page.go("topics")
    harness.publish([as_map(f"bars-{uuid}", email=email, topic_id="bars") for uuid, email in mails.items()])
    expected = {"all": "4", "sent": "4", "delivered": "3", "opened": "0", "bounced": "1", "complained": "1"}
    page.wait(lambda: bars(page, "bars") == expected, "the bars")
    width = page.run(
        "return getComputedStyle(document.querySelector(arguments[0])).getPropertyValue('--share')",
        f"{row('bars')} .bounced i",
    )
    assert float(width) == 0.25
    page.click(f"{row('bars')} .bounced a")
    page.read('#mail [data-uuid="bars-bounced"]', "The address does not exist")
    assert len(page.all("#mail [data-uuid]")) == 1
    page.driver.back()
    page.click(f"{row('bars')} a.name")
    page.at("#topics/bars")
    page.read("#topics .progress", "100 % done · 4 / 4")
    assert "The recipient marked it as spam." in page.read("#topics .reasons", "Bounced")
    assert "75.0 % delivered" in page.text("#topics")
    bounced = page.find("#topics a[download]").get_attribute("href")
    assert bounced
    assert bounced.endswith("/v1/messages.csv?topic_id=bars&state=bounced")


def test_an_open_shows(page: Page, harness: BrowserHarness) -> None:
    page.go("topics")
    harness.ask(
        "POST",
        "/v1/messages",
        {"messages": [{"topic_id": "opened", "emails": ["o@example.com"], "subject": "s", "content": "<p>b</p>"}]},
    )
    page.wait(lambda: bars(page, "opened")["delivered"] == "1")

    async def load_pixel() -> None:
        [mail] = (await harness.sandbox.get("/messages", to="o@example.com"))["messages"]
        html = str(await harness.sandbox.get(f"/messages/{mail['id']}"))
        pixel = re.search(r"/v1/events/open\?request_id=[\w.~-]+", html)
        assert pixel, html
        headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Thunderbird/128"}
        async with harness.session.get(harness.url + pixel[0], headers=headers) as response:
            assert response.status == 200

    harness.do(load_pixel())
    page.wait(lambda: harness.ask("GET", "/v1/topics/opened")["result_counts"].keys() & {"Open", "MachineOpen"})


def test_a_topic_is_cancelled_and_its_receipt_watched_until_it_is_final(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map(f"cancel-{number}", topic_id="cancelled") for number in range(2_000)])
    page.open("/#topics/cancelled")
    page.click("#topics button.danger")
    assert "cancelled" in page.read("#confirm-text", "Cancel all unsent mail")
    page.click("#confirm-yes")
    text = page.read("#topics .receipt", "· final")
    cancelled, sent, in_flight, failed = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+", text))
    assert cancelled > 0
    assert (in_flight, failed) == (0, 0)
    assert cancelled + sent == 2_000
    page.read("#topics .numbers", f"{cancelled:,}")
    page.wait(lambda: not page.find("#topics button.danger").is_displayed(), "a finished topic without a red button")
    page.read("#topics .progress", "Finished")


def test_who_shrinks_back_cancels_nothing(page: Page, harness: BrowserHarness) -> None:
    message = {"topic_id": "kept", "emails": ["k@example.com"], "subject": "s", "content": "c"}
    harness.ask("POST", "/v1/messages", {"messages": [message | {"scheduled_at": "2090-01-01T00:00:00Z"}]})
    page.open("/#topics/kept")
    for key in (Keys.ENTER, Keys.ESCAPE):  # the focus is on the way back
        page.click("#topics button.danger")
        page.wait(lambda: page.find("#confirm").is_displayed())
        page.press(key)
        page.wait(lambda: not page.find("#confirm").is_displayed())
    assert harness.ask("GET", "/v1/topics/kept")["cancellation"] is None


def test_one_topic_is_looked_up_and_older_ones_are_a_page_away(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map(f"page-{number}", topic_id=f"page-{number}") for number in range(30)])
    page.wait(lambda: len(harness.ask("GET", "/v1/topics?limit=200")["topics"]) > 30)
    page.go("topics")
    page.wait(lambda: len(page.all("#topics .topic")) >= 25)
    page.click("#topics button", "More")
    page.wait(lambda: len(page.all("#topics .topic")) > 25)
    page.submit("#topic-find", "page-3")
    page.at("#topics/page-3")
    page.read("#topics .progress", "1 / 1")
    page.open("/#topics/unheard-of")
    page.read("#topics", "No mail of topic \u201cunheard-of\u201d is known")
