"""What waits, and why: scheduled mail, and what is held."""

from tests.acceptance.publisher import as_map
from tests.browser.harness import RAMPED, BrowserHarness
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
    page.wait(lambda: page.all('#waiting [data-hold="topic:waits"]') == [])
    assert "topic:waits" not in str(harness.ask("GET", "/v1/holds"))
    page.click('#waiting [data-lane="bulk"] a')
    page.at("#mail?state=scheduled&lane=bulk")
    page.read("#mail .mail-row", "w@example.com")


def test_a_ramp_is_shown_with_what_waits_and_its_end(page: Page, harness: BrowserHarness) -> None:
    mails = [as_map(f"ramped-{number}", from_email=f"news@{RAMPED}") for number in range(2)]
    harness.publish(mails)
    page.wait(lambda: harness.ask("GET", "/v1/ramps")["ramps"][0]["mails"] == 2)
    page.go("waiting")
    shown = page.read(f'#waiting [data-ramp="{RAMPED}"]', "1 Jan 2090")
    assert shown == f"{RAMPED}\t0\t0\t2\t1 Jan 2090\t21 Jan 2090"


def test_what_waits_is_shown_by_tenant(page: Page, harness: BrowserHarness) -> None:
    message = {"topic_id": "tenants-wait", "emails": ["w@example.com"], "subject": "s", "content": "c"}
    later = message | {"scheduled_at": "2090-01-01T00:00:00Z", "tenant": "patient"}
    harness.ask("POST", "/v1/messages", {"messages": [later]})
    page.go("waiting")
    assert page.read('#waiting [data-tenant="patient"]', "2090").startswith("patient\tBulk\t0\t1\t")


def test_a_tenant_that_ses_refuses_is_held_alone(page: Page, harness: BrowserHarness) -> None:
    harness.do(harness.sandbox.put("/sandbox/tenants", {"tenants": {"paused": {"sending_status": "DISABLED"}}}))
    try:
        harness.publish([as_map("of-paused", tenant="paused", topic_id="paused-topic")])
        page.go("waiting")
        page.read('#waiting [data-hold="tenant:paused"]', "tenant:paused is held by ses: ")
        page.wait(lambda: "1 mail waits" in page.text('#waiting [data-hold="tenant:paused"]'))
    finally:
        harness.do(harness.sandbox.put("/sandbox/tenants", {"tenants": None}))
    page.click('#waiting [data-hold="tenant:paused"] button', "Resume")
    page.click("#confirm-yes")
    page.wait(lambda: harness.sent("of-paused") == 1)


def test_what_is_held_is_among_what_needs_somebody(page: Page, harness: BrowserHarness) -> None:
    keys = [f"topic:undecided-{number}" for number in range(7)]
    for key in keys:
        harness.ask("POST", "/v1/holds", {"key": key, "reason": "wrong prices"})
    shown = page.read("#attention", "topic:undecided-6 is held by operator: wrong prices. Its mail waits until")
    assert "topic:undecided-1" not in shown  # the latest five
    page.read("#attention", "2 more holds")
    page.click("#attention a", "topic:undecided-6")
    page.at("#waiting")
    page.read('#waiting [data-hold="topic:undecided-6"]', "wrong prices")
    page.click('#waiting [data-hold="topic:undecided-6"] button', "Resume")
    page.click("#confirm-yes")
    page.read("#waiting .status", "is not held any more")
    for key in keys[:-1]:
        harness.ask("DELETE", f"/v1/holds/{key}")
    page.go("now")
    page.wait(lambda: "undecided" not in page.text("#attention"))
