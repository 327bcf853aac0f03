"""Dead letters, the suppression list, and what is in doubt."""

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page
from tests.browser.past_week import DOUBTFUL


def test_a_dead_letter_is_shown_and_sent_again(page: Page, harness: BrowserHarness) -> None:
    harness.reject("dead-1@example.com", "Email address is not verified.")
    harness.publish([as_map("dead-1", email="dead-1@example.com", subject="A subject"), b"\xc1 no message"])
    page.wait(lambda: page.number("#tile-dead dd") >= 2)
    page.click("#tile-dead a")
    page.wait(lambda: len(page.all("#dead-letters .row")) >= 2)

    undecodable = next(row for row in page.all("#dead-letters .row") if "Undecodable" in row.text)
    undecodable.find_element("css selector", "summary").click()
    page.wait(lambda: "base64" in undecodable.text)
    assert "wSBubyBtZXNzYWdl" in undecodable.text

    page.find("#dead-kind").send_keys("Rejected")
    page.at("#dead-letters?kind=rejected")
    page.wait(lambda: {badge.text for badge in page.all("#dead-letters .badge")} == {"Rejected"})
    rejected = next(row for row in page.all("#dead-letters .row") if "not verified" in row.text)
    rejected.find_element("css selector", "summary").click()
    page.wait(lambda: '"subject": "A subject"' in rejected.text)
    assert "Email-Reason" in rejected.text
    page.wait(lambda: "dead-1@example.com A subject" in rejected.text)
    rejected.find_element("css selector", ".actions button").click()
    page.read("#confirm-text", "goes back to the end of the queue")
    page.click("#confirm-yes")
    page.read("#dead-letters .status", "is back in the stream as message")
    page.wait(lambda: harness.sent("dead-1") == 1)
    assert rejected.id not in [row.id for row in page.all("#dead-letters .row")]


def test_a_dead_letter_is_removed_for_good(page: Page, harness: BrowserHarness) -> None:
    harness.reject("dead-3@example.com", "no")
    harness.publish([as_map("dead-3", email="dead-3@example.com")])
    page.wait(lambda: harness.ask("GET", "/v1/messages/dead-3").get("status") == "Failed")
    page.go("dead-letters")
    last = page.wait(lambda: page.all("#dead-letters .row"))[-1]
    sequence = last.get_attribute("data-sequence")
    last.find_element("css selector", ".actions .danger").click()
    page.read("#confirm-text", "the only copy")
    page.click("#confirm-yes")
    page.read("#dead-letters .status", f"Dead letter #{sequence} is removed.")
    assert harness.ask("GET", f"/v1/dead-letters/{sequence}")["error"]["code"] == "not_found"


def test_a_dead_letter_that_was_replayed_elsewhere_is_reported_as_gone(page: Page, harness: BrowserHarness) -> None:
    harness.reject("dead-2@example.com", "no")
    harness.publish([as_map("dead-2", email="dead-2@example.com")])
    page.wait(lambda: harness.ask("GET", "/v1/messages/dead-2").get("status") == "Failed")
    page.go("dead-letters")
    last = page.wait(lambda: page.all("#dead-letters .row"))[-1]
    harness.ask("POST", f"/v1/dead-letters/{last.get_attribute('data-sequence')}/replay")
    last.find_element("css selector", ".actions button").click()
    page.click("#confirm-yes")
    page.read("#dead-letters .status.error", "There is no dead letter")


def test_all_dead_letters_of_a_kind_are_replayed_once_it_is_said_what_that_does(
    page: Page, harness: BrowserHarness
) -> None:
    for number in range(3):
        harness.reject(f"many-{number}@example.com", "no")
    harness.publish([as_map(f"dead-many-{number}", email=f"many-{number}@example.com") for number in range(3)])
    page.wait(lambda: harness.ask("GET", "/v1/messages/dead-many-2").get("status") == "Failed")
    page.open("/#dead-letters?kind=rejected")
    page.wait(lambda: len(page.all("#dead-letters .row")) >= 3)
    page.click("#dead-letters .bar button", "Replay all: Rejected")
    page.read("#confirm-text", "Replay it once the reason is gone")
    page.click("#confirm-yes")
    page.read("#dead-letters .status", "replayed.")
    page.wait(lambda: all(harness.sent(f"dead-many-{number}") == 1 for number in range(3)))
    page.wait(lambda: page.all("#dead-letters .row") == [])


def test_the_entry_of_a_tenant_is_taken_off_and_no_other(page: Page, harness: BrowserHarness) -> None:
    for tenant in (None, "acme"):
        harness.ask("POST", "/v1/suppressions", {"address": "both@example.com", "tenant": tenant})
    page.go("suppressions")
    page.submit("#suppressed-find", "both@example.com")
    row = '#suppressions [data-address="both@example.com"][data-tenant="acme"]'
    page.read(row, "all mail of the tenant acme")
    page.click(f"{row} button")
    page.read("#confirm-text", "Allow all mail of the tenant acme to both@example.com again?")
    page.click("#confirm-yes")
    page.read("#suppressions .status", "all mail of the tenant acme to both@example.com is allowed again.")
    left = harness.ask("GET", "/v1/suppressions/both@example.com")
    assert (left["tenant"], left["also"]) == (None, [])


def test_an_address_is_put_on_the_suppression_list_and_taken_off(page: Page, harness: BrowserHarness) -> None:
    row = '#suppressions [data-address="listed@example.com"]'
    page.go("suppressions")
    page.submit("#suppress-address", "no address")
    page.read("#suppressions .status.error", "not an e-mail address")
    page.fill("#suppress-detail", "asked by phone")
    page.submit("#suppress-address", "Listed <Listed@example.com>")
    page.read("#suppressions .status", "Mail to listed@example.com is blocked.")
    assert "asked by phone" in page.read(row, "manual")
    harness.publish([as_map("listed-1", email="listed@example.com")])
    page.wait(lambda: harness.ask("GET", "/v1/messages/listed-1").get("status") == "Stopped")

    page.submit("#suppressed-find", "LISTED@example.com")
    page.wait(
        lambda: (
            [item.get_attribute("data-address") for item in page.all("#suppressions .row")] == ["listed@example.com"]
        )
    )
    page.click(f"{row} .actions button")
    page.read("#confirm-text", "listed@example.com")
    page.click("#confirm-yes")
    page.read("#suppressions .status", "is allowed again")
    harness.publish([as_map("listed-2", email="listed@example.com")])
    page.wait(lambda: harness.sent("listed-2") == 1)
    page.submit("#suppressed-find", "listed@example.com")
    page.read("#suppressions .status", "not on the suppression list")


def test_an_address_is_taken_off_one_group_and_put_on_again(page: Page, harness: BrowserHarness) -> None:
    harness.ask("POST", "/v1/suppressions", {"address": "grouped@example.com", "reason": "unsubscribed"})
    row = '#suppressions [data-address="grouped@example.com"]'
    page.go("suppressions")
    page.fill("#suppress-group", "news")
    page.submit("#suppress-address", "grouped@example.com")
    page.read("#suppressions .status", "bulk mail of news to grouped@example.com is blocked.")
    page.submit("#suppressed-find", "grouped@example.com")
    page.read(f'{row}[data-group="news"]', "manual")
    assert "unsubscribed" in page.read(f'{row}[data-group=""]', "bulk mail")
    page.click(f'{row}[data-group="news"] .actions button')
    page.read("#confirm-text", "bulk mail of news")
    page.click("#confirm-yes")
    page.read("#suppressions .status", "is allowed again")
    assert harness.ask("GET", "/v1/suppressions/grouped@example.com")["also"] == []
    assert page.read(f'{row}[data-group=""]', "unsubscribed")


def test_a_bounce_appears_with_its_reason_and_leads_to_the_history(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map("bounced-1", email="bounce+list@simulator.amazonses.com")])
    page.wait(lambda: "reason" in harness.ask("GET", "/v1/suppressions/bounce+list@simulator.amazonses.com"))
    page.go("suppressions")
    page.submit("#suppressed-find", "bounce+list@simulator.amazonses.com")
    row = '#suppressions [data-address="bounce+list@simulator.amazonses.com"]'
    page.read(row, "hard bounce")
    page.click(f"{row} a.open")
    page.read('#mail [data-uuid="bounced-1"]', "Bounced")


def test_mail_in_doubt_is_counted_and_listed(page: Page, harness: BrowserHarness) -> None:
    harness.fault({"uuid": "doubtful"}, kind="cut_before")
    harness.publish([as_map("doubtful", email="doubt@example.com", topic_id="doubts")])
    page.wait(lambda: "doubtful" in [mail["uuid"] for mail in harness.ask("GET", "/v1/in-doubt")["mails"]])
    page.wait(lambda: page.number("#tile-doubt dd") >= DOUBTFUL)
    page.click("#tile-doubt a")
    assert "doubt@example.com" in page.read('#in-doubt [data-uuid="doubtful"]', "doubts")
    page.click('#in-doubt [data-uuid="doubtful"] a.open')
    page.read("#mail .badge", "In doubt")
