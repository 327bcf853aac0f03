"""Finding mail, and the page of one mail."""

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page


def test_an_address_leads_to_its_mails_and_each_to_its_page(page: Page, harness: BrowserHarness) -> None:
    harness.fault({"uuid": "found-1"}, kind="error", code="InternalFailure")
    harness.publish(
        [
            as_map("found-1", email="Finn Found <found@example.com>", topic_id="searched", subject="Found it"),
            as_map("found-2", email="found@example.com"),
        ]
    )
    page.wait(lambda: harness.ask("GET", "/v1/messages/found-1").get("results"))
    page.wait(lambda: harness.ask("GET", "/v1/messages/found-2").get("results"))
    page.look_for("found@example.com")
    page.at("#mail?email=found%40example.com")
    page.wait(lambda: len(page.all("#mail [data-uuid]")) == 2)
    assert "Found it" in page.read('#mail [data-uuid="found-1"]', "Finn Found <found@example.com>")
    page.click('#mail [data-uuid="found-1"] a.open')
    page.at("#mail/found-1")
    history = page.read("#mail .history:not(.recipients)", "Delivery")
    steps = [history.index(word) for word in ("Created, from nats", "failed", "SES accepted it", "Delivery")]
    assert steps == sorted(steps)
    assert "found-1" in page.text("#mail .attributes")
    assert page.text("#mail h2") == "Found it"
    assert "found@example.com Delivery" in " ".join(page.text("#mail .recipients").split())
    page.click("#mail .history summary", "SES event")
    page.read("#mail .history pre", "mail")
    page.driver.back()
    page.at("#mail?email=found%40example.com")
    page.wait(lambda: len(page.all("#mail [data-uuid]")) == 2)


def test_a_uuid_is_found_whatever_its_characters(page: Page, harness: BrowserHarness) -> None:
    uuids = ["plain-uuid", "a/b?c=d#e%41 f@g", "{curly} & <pointed>"]
    harness.publish([as_map(uuid, email="odd@example.com") for uuid in uuids])
    page.wait(lambda: len(harness.ask("GET", "/v1/messages?email=odd@example.com")["mails"]) == 3)
    for uuid in uuids:
        page.look_for(uuid)
        assert "odd@example.com" in page.read("#mail .attributes", uuid)


def test_what_begins_with_a_text_is_found(page: Page, harness: BrowserHarness) -> None:
    harness.publish(
        [
            as_map("prefixed-1", email="prefixed.one@prefixed.example", topic_id="prefixed-topic"),
            as_map("prefixed-2", email="prefixed.two@prefixed.example", topic_id="prefixed-topic"),
        ]
    )
    page.wait(lambda: harness.sent("prefixed-1") and harness.sent("prefixed-2"))
    page.look_for("prefixed")
    found = page.read("#find", "prefixed-2")
    for text in ("prefixed.one@prefixed.example", "prefixed.example", "prefixed-topic", "prefixed-1"):
        assert text in found
    page.look_for("@prefixed.ex")
    page.at("#mail?domain=prefixed.example")
    page.wait(lambda: len(page.all("#mail [data-uuid]")) == 2)


def test_mail_is_narrowed_by_state_and_topic_and_the_location_says_so(page: Page, harness: BrowserHarness) -> None:
    harness.reject("narrow@example.com", "Not verified.")
    harness.publish(
        [as_map("narrow-1", email="narrow@example.com", topic_id="narrow"), as_map("narrow-2", topic_id="narrow")]
    )
    page.wait(lambda: harness.ask("GET", "/v1/messages/narrow-1").get("status") == "Failed")
    page.go("mail")
    page.fill("#mail-topic", "narrow")
    page.find("#mail-state").send_keys("Failed")
    page.submit("#mail-topic", "narrow")
    page.at("#mail?topic_id=narrow&state=failed")
    page.wait(lambda: [row.get_attribute("data-uuid") for row in page.all("#mail [data-uuid]")] == ["narrow-1"])
    assert "Not verified" in page.text('#mail [data-uuid="narrow-1"]')
    csv = page.find("#mail a[download]").get_attribute("href")
    assert csv
    assert csv.endswith("/v1/messages.csv?topic_id=narrow&state=failed")
    page.driver.refresh()
    page.wait(lambda: [row.get_attribute("data-uuid") for row in page.all("#mail [data-uuid]")] == ["narrow-1"])
    page.wait(lambda: page.find("#mail-state").get_attribute("value") == "failed")


def test_new_mail_appears_by_itself(page: Page, harness: BrowserHarness) -> None:
    page.go("mail")
    page.wait(lambda: page.all("#mail [data-uuid]"))
    harness.publish([as_map("appears", subject="Just in")])
    page.read('#mail [data-uuid="appears"]', "Just in")
    page.read('#mail [data-uuid="appears"]', "Delivered")


def test_a_mail_from_the_api_shows_what_it_says_and_runs_none_of_it(page: Page, harness: BrowserHarness) -> None:
    html = "<h1>Hello</h1><img src='https://elsewhere.example/x.png'><script>parent.evil = 1</script>"
    message = {"emails": ["kept@example.com"], "subject": "Kept", "content": html, "text": "Hello in text"}
    [uuid] = harness.ask("POST", "/v1/messages", {"messages": [message]})["ids"]
    page.wait(lambda: harness.ask("GET", f"/v1/messages/{uuid}").get("results"))
    page.look_for(uuid)
    page.read("#mail h2", "Kept")
    page.driver.switch_to.frame(page.find("#mail iframe"))
    page.read("h1", "Hello")
    page.driver.switch_to.default_content()
    assert page.run("return window.evil") is None
    page.click("#mail summary", "Text")
    page.read("#mail", "Hello in text")
    assert page.driver.get_log("browser")[-1:]  # type: ignore[no-untyped-call]  # what the frame was not allowed to load


def test_a_suppressed_address_is_marked(page: Page, harness: BrowserHarness) -> None:
    harness.ask("POST", "/v1/suppressions", {"address": "stopped@example.com", "detail": "asked by phone"})
    harness.publish([as_map("stopped-1", email="stopped@example.com")])
    page.wait(lambda: harness.ask("GET", "/v1/messages/stopped-1").get("status") == "Stopped")
    page.look_for("stopped@example.com")
    page.read("#mail .status.warning", "is on the suppression list (manual: asked by phone)")
    page.read('#mail [data-uuid="stopped-1"]', "Stopped")


def test_what_is_not_known_is_said_to_be_so(page: Page) -> None:
    page.look_for("no-such-uuid")
    page.read("#find .status", "Nothing begins with")
    page.look_for("nobody@example.com")
    page.read("#mail .status", "Nothing found.")
    page.look_for("not@an@address")
    page.read("#mail .status.error", "not an e-mail address")
    page.open("/#mail/no-such-uuid")
    page.read("#mail .status", "No mail with this uuid")


def test_many_mails_come_page_by_page(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map(f"many-{number}", email="many@example.com") for number in range(60)])
    page.wait(lambda: all(harness.sent(f"many-{number}") for number in (0, 59)))
    page.look_for("many@example.com")
    page.wait(lambda: len(page.all("#mail [data-uuid]")) == 50)
    page.click("#mail button", "More")
    page.wait(lambda: len(page.all("#mail [data-uuid]")) == 60)
