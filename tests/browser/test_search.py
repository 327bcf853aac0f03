"""The history of one address or uuid."""

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page


def test_an_address_leads_to_its_mails_and_each_to_its_history(page: Page, harness: BrowserHarness) -> None:
    harness.fault({"uuid": "found-1"}, kind="error", code="InternalFailure")
    harness.publish(
        [
            as_map("found-1", email="Finn Found <found@example.com>", topic_id="searched"),
            as_map("found-2", email="found@example.com"),
        ]
    )
    page.wait(lambda: harness.ask("GET", "/v1/messages/found-1").get("results"))
    page.wait(lambda: harness.ask("GET", "/v1/messages/found-2").get("results"))
    page.look_for("found@example.com")
    page.wait(lambda: len(page.all("#search [data-uuid]")) == 2)
    page.read('#search [data-uuid="found-1"]', "Finn Found <found@example.com>")
    page.click('#search [data-uuid="found-1"] summary')
    history = page.read('#search [data-uuid="found-1"] .history', "Delivery")
    steps = [history.index(word) for word in ("Created, from nats", "failed", "Sent", "Delivery")]
    assert steps[0] < steps[1] < min(steps[2:])
    assert "found-1" in page.text('#search [data-uuid="found-1"] .attributes')
    page.click('#search [data-uuid="found-1"] .history summary', "SES event")
    page.read('#search [data-uuid="found-1"] .history pre', "mail")


def test_a_uuid_is_found_whatever_its_characters(page: Page, harness: BrowserHarness) -> None:
    uuids = ["plain-uuid", "a/b?c=d#e%41 f@g", "{curly} & <pointed>"]
    harness.publish([as_map(uuid, email="odd@example.com") for uuid in uuids])
    page.wait(lambda: len(harness.ask("GET", "/v1/messages?email=odd@example.com")["mails"]) == 3)
    for uuid in uuids:
        page.look_for(uuid)
        page.read("#search .row", "odd@example.com")
        page.click("#search summary")
        page.read("#search .attributes", uuid)
        assert len(page.all("#search .row")) == 1


def test_a_suppressed_address_is_marked(page: Page, harness: BrowserHarness) -> None:
    harness.ask("POST", "/v1/suppressions", {"address": "stopped@example.com", "detail": "asked by phone"})
    harness.publish([as_map("stopped-1", email="stopped@example.com")])
    page.wait(lambda: harness.ask("GET", "/v1/messages/stopped-1").get("status") == "Stopped")
    page.look_for("stopped@example.com")
    page.read("#search .row.warning", "is on the suppression list (manual: asked by phone)")
    page.read('#search [data-uuid="stopped-1"]', "Stopped")


def test_what_is_not_known_is_said_to_be_so(page: Page) -> None:
    for text in ("nobody@example.com", "no-such-uuid"):
        page.look_for(text)
        page.read("#search .status", "Nothing found.")
    page.look_for("not@an@address")
    page.read("#search .status", "not an e-mail address")


def test_many_mails_come_page_by_page(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map(f"many-{number}", email="many@example.com") for number in range(30)])
    page.wait(lambda: all(harness.sent(f"many-{number}") for number in (0, 29)))
    page.look_for("many@example.com")
    page.wait(lambda: len(page.all("#search [data-uuid]")) == 25)
    page.click("#search > button", "More")
    page.wait(lambda: len(page.all("#search [data-uuid]")) == 30)
    assert not page.find("#search > button").is_displayed()
