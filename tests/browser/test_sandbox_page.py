"""The sandbox's pages: the mail, found and looked at; the switches; no finding of axe."""

import os

import pytest

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page
from tests.browser.test_unsubscribe import _RUN_AXE, AXE

HTML = "<h1 style='color: green'>Hello</h1><script>parent.evil = 1</script>"


@pytest.fixture
def sandbox(page: Page, harness: BrowserHarness) -> Page:
    """Its page, in the same browser."""
    opened = Page(page.driver, harness.sandbox.url)
    opened.open()
    return opened


def test_a_mail_is_found_and_shown_in_all_its_forms(sandbox: Page, harness: BrowserHarness) -> None:
    attachment = {"filename": "terms.txt", "content": b"terms", "content_type": "text/plain"}
    fields = {"body": HTML, "text": "Hello in text", "attachments": [attachment], "headers": {"X-Campaign": "spring"}}
    harness.publish([as_map("boxed", email="boxed@example.com", subject="Boxed <b>", **fields)])
    sandbox.wait(lambda: harness.sent("boxed") == 1)
    sandbox.submit("[name=q]", "BOXED@example")
    sandbox.read("main table", "boxed@example.com")
    assert len(sandbox.all("main tbody tr")) == 1
    sandbox.click("main td a", "Boxed <b>")
    shown = sandbox.read("main", "Hello in text")
    assert all(part in shown for part in ("X-Campaign", "spring", "terms.txt", "text/plain, 5 bytes", "boxed"))
    frame = sandbox.find("iframe")
    assert frame.get_attribute("sandbox") == ""
    sandbox.driver.switch_to.frame(frame)
    sandbox.read("h1", "Hello")
    sandbox.driver.switch_to.default_content()
    assert sandbox.run("return window.evil === undefined")
    sandbox.click("summary", "Show")
    sandbox.read("details pre", '"Subject"')
    # A frame that may not run scripts says so on the console.
    assert all("sandbox" in line for line in sandbox.complaints())


def test_the_list_follows_the_mail(sandbox: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map("followed", email="followed@example.com")])
    sandbox.read("main table", "followed@example.com")


def test_a_fault_is_switched_on_and_off(sandbox: Page, harness: BrowserHarness) -> None:
    harness.heal()  # another test's may still be listed
    sandbox.click("nav a", "Switches")
    sandbox.find("[name=action]").send_keys("Reject it")
    sandbox.fill("[name=to]", "switched@example.com")
    sandbox.click(".fields button", "Add")
    sandbox.read("main table", "error MessageRejected")
    harness.publish([as_map("switched", email="switched@example.com")])
    sandbox.wait(lambda: harness.ask("GET", "/v1/messages/switched").get("status") == "Failed")
    sandbox.read("main table", "1 of 1")
    sandbox.click("main td button", "Remove")
    sandbox.read("main", "SES does as it should.")


@pytest.mark.skipif(
    not AXE.exists() and not os.environ.get("CI"), reason="axe-core is needed (npm ci in tests/browser/axe)"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_finding(sandbox: Page, harness: BrowserHarness, scheme: str) -> None:
    harness.publish([as_map(f"sandbox-axe-{scheme}", text="text")])
    sandbox.wait(lambda: harness.sent(f"sandbox-axe-{scheme}") == 1)
    mail = harness.do(harness.sandbox.get("/messages", uuid=f"sandbox-axe-{scheme}"))["messages"][0]["id"]
    sandbox.emulate(scheme, width=390, height=844, phone=True)
    found: dict[str, object] = {}
    for path in ("/", f"/mail/{mail}", "/switches"):
        sandbox.open(path)
        assert sandbox.run("return document.documentElement.scrollWidth") <= 390, path
        sandbox.run(AXE.read_text())
        if violations := sandbox.driver.execute_async_script(_RUN_AXE):
            found[path] = violations
    sandbox.emulate()
    assert found == {}
