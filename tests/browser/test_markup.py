"""What users write is text, wherever it shows; the policy has nothing to stop, since nothing tries."""

from collections.abc import Iterator

import nats
import pytest

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page

EVIL = """<img src=x onerror=window.evil=1><script>window.evil=1</script>"'><b>bold</b>{{7*7}}"""
NAME = '"<img src=x onerror=window.evil=1><b>bold"'


@pytest.fixture
def evil(page: Page) -> Iterator[Page]:
    """Afterwards nothing evil was done, and nothing made of its parts."""
    yield page
    assert page.run("return window.evil === undefined && document.querySelector('main img, main script') === null")
    assert page.all(".row b b, .unfolded b b, pre *, #notice *") == []


def test_topics(evil: Page, harness: BrowserHarness) -> None:
    message = {"topic_id": EVIL, "emails": ["later@example.com"], "subject": EVIL, "content": EVIL}
    harness.ask("POST", "/v1/messages", {"messages": [message | {"scheduled_at": "2090-01-01T00:00:00Z"}]})
    evil.go("topics")
    evil.wait(lambda: EVIL in [name.text for name in evil.all("#topics .name")])
    next(name for name in evil.all("#topics .name") if name.text == EVIL).click()
    evil.click("#topics button.danger")
    evil.read("#confirm-text", EVIL)
    evil.click("#confirm-yes")
    evil.read("#topics .receipt", "· final")
    assert evil.text("#topics h2.grow") == EVIL


def test_uuids_names_subjects_and_errors_of_mail(evil: Page, harness: BrowserHarness) -> None:
    uuid = f"evil {EVIL}"
    harness.reject("evil@example.com", EVIL)
    harness.publish([as_map(uuid, email=f"{NAME} <evil@example.com>", subject=EVIL, topic_id=EVIL)])
    evil.wait(lambda: harness.ask("GET", "/v1/messages?email=evil@example.com")["mails"])
    evil.wait(lambda: harness.ask("GET", "/v1/messages?email=evil@example.com")["mails"][0]["status"] == "Failed")
    evil.look_for("evil@example.com")
    row = evil.read("#mail .mail-row", NAME)
    assert row.count(EVIL) == 3  # the subject, the topic and the error
    evil.click("#mail .mail-row a.open")
    assert uuid in evil.read("#mail .attributes", EVIL)
    evil.look_for(uuid)
    evil.read("#mail .attributes", NAME)
    evil.look_for(EVIL[1:])
    evil.read("#find .status", "Nothing begins with")
    evil.look_for(EVIL[:5])
    evil.read("#topics h2.grow", EVIL)


def test_dead_letters_with_their_reasons_headers_and_messages(evil: Page, harness: BrowserHarness) -> None:
    harness.reject("dead-evil@example.com", EVIL)

    async def publish() -> None:
        payload = as_map("dead-evil", email="dead-evil@example.com", subject=EVIL)
        client = await nats.connect(harness.nats.url)
        await client.jetstream().publish("messages.email", payload, headers={"X-Evil": EVIL})
        await client.close()

    harness.do(publish())
    evil.wait(lambda: harness.ask("GET", "/v1/messages/dead-evil").get("status") == "Failed")
    evil.go("dead-letters")
    row = evil.wait(lambda: next((row for row in evil.all("#dead-letters .row") if EVIL in row.text), None))
    row.find_element("css selector", "summary").click()
    evil.wait(lambda: row.text.count("onerror=window.evil=1") >= 3)  # the reason, the header, the subject


def test_suppressions(evil: Page) -> None:
    evil.go("suppressions")
    evil.fill("#suppress-detail", EVIL)
    evil.submit("#suppress-address", f"{NAME} <evil-suppressed@example.com>")
    evil.read('#suppressions [data-address="evil-suppressed@example.com"]', EVIL)
    evil.submit("#suppressed-find", EVIL)
    evil.read("#suppressions .status.error", "not on the suppression list")


def test_mail_in_doubt(evil: Page, harness: BrowserHarness) -> None:
    harness.fault({"to": "evil-doubt@example.com"}, kind="cut_before")
    harness.publish([as_map(f"doubt {EVIL}", email=f"{NAME} <evil-doubt@example.com>", topic_id=EVIL)])
    evil.wait(lambda: any(EVIL in mail["uuid"] for mail in harness.ask("GET", "/v1/in-doubt")["mails"]))
    evil.go("in-doubt")
    row = evil.wait(lambda: next((row for row in evil.all("#in-doubt .row") if EVIL in row.text), None))
    assert NAME in row.text


def test_why_the_queue_is_held(evil: Page, harness: BrowserHarness) -> None:
    harness.fault({}, times=None, kind="error", code="AccountSuspendedException", message=EVIL)
    evil.read("#notice", EVIL)
    evil.read('[data-part="SES"]', EVIL)
    harness.heal()
    evil.wait(lambda: not evil.find("#notice").is_displayed())
