"""What waits, and why: scheduled mail, and what is held."""

from tests.browser.harness import BrowserHarness
from tests.browser.page import Page


def test_scheduled_mail_and_a_hold_are_shown_and_the_hold_is_ended(page: Page, harness: BrowserHarness) -> None:
    message = {"topic_id": "waits", "emails": ["w@example.com"], "subject": "s", "content": "c"}
    harness.ask("POST", "/v1/messages", {"messages": [message | {"scheduled_at": "2090-01-01T00:00:00Z"}]})
    harness.ask("POST", "/v1/holds", {"key": "topic:waits", "reason": "a wrong list"})
    page.go("waiting")
    assert "2090" in page.read('#waiting [data-lane="bulk"]', "1 Jan 2090")
    page.read('#waiting [data-hold="topic:waits"]', "held by operator: a wrong list")
    page.click('#waiting [data-hold="topic:waits"] button')
    page.read("#confirm-text", "End all holds of topic:waits")
    page.click("#confirm-yes")
    page.read("#waiting .status", "is not held any more")
    page.wait(lambda: page.all("#waiting [data-hold]") == [])
    assert harness.ask("GET", "/v1/holds")["holds"] == []
    page.click('#waiting [data-lane="bulk"] a')
    page.at("#mail?state=scheduled&lane=bulk")
    page.read("#mail .mail-row", "w@example.com")
