"""API keys and the audit log: for those who may see them, and nobody else."""

from datetime import UTC, datetime, timedelta

from selenium.webdriver import Chrome

from tests.browser.harness import BrowserHarness
from tests.browser.page import Page


def _made(page: Page, harness: BrowserHarness, name: str) -> tuple[str, str]:
    """The secret as the page shows it, and the key's id."""
    page.read("#keys .status", f"The key “{name}”, shown only now:")
    [key] = [key for key in harness.ask("GET", "/v1/keys")["keys"] if key["name"] == name]
    return page.text("#keys .secret code"), key["id"]


def test_a_key_is_made_shown_once_and_removed(page: Page, harness: BrowserHarness) -> None:
    page.go("keys")
    page.fill("#key-name", "Shop")
    expires = datetime.now(UTC) + timedelta(days=30)
    page.run("document.getElementById('key-expires').value = arguments[0]", expires.strftime("%Y-%m-%dT%H:%M"))
    page.click("#keys form summary")
    page.fill("#key-topics", "orders-*, invoices")
    page.fill("#key-senders", "@example.com")
    page.find("#key-lane").send_keys("Transactional")
    page.click("#keys form button.primary")
    secret, key_id = _made(page, harness, "Shop")
    row = f'#keys [data-key="{key_id}"]'
    shown = page.read(row, "never used")
    assert secret[:10] in shown
    for part in ("send", "topics: orders-*, invoices", "lane: transactional", "senders: @example.com", "expires "):
        assert part in shown
    assert f"{expires.astimezone():%Y}" in shown
    assert secret.startswith("eck_")
    assert secret not in shown
    assert page.text("#keys .secret button") == "Copy"
    assert page.run("return document.getElementById('key-name').value") == ""
    page.go("audit")
    page.go("keys")
    page.wait(lambda: page.text(row))
    assert secret not in page.driver.page_source

    page.click(f"{row} button.danger")
    page.read("#confirm-text", "Remove the key “Shop”?")
    page.click("#confirm-yes")
    page.read("#keys .status", "The key “Shop” is removed.")
    assert page.all(row) == []
    assert key_id not in str(harness.ask("GET", "/v1/keys"))


def test_what_a_key_can_not_have_is_said(page: Page) -> None:
    page.go("keys")
    page.fill("#key-name", "too much")
    page.click("#keys .choice", "read")
    page.click("#keys form summary")
    page.fill("#key-topics", "one")
    page.click("#keys form button.primary")
    page.read("#keys .status.error", "a key with limits can only send")
    assert page.run("return document.getElementById('key-name').value") == "too much"  # to be corrected


def test_the_audit_log_says_who_did_what_is_narrowed_and_exported(page: Page, harness: BrowserHarness) -> None:
    for number in range(55):
        harness.ask("DELETE", f"/v1/topics/audited-{number}")
    page.go("audit")
    page.read("#audit .audit-row", "audited-54")
    assert len(page.all("#audit .audit-row")) == 50
    page.click("#audit button", "More")
    page.wait(lambda: len(page.all("#audit .audit-row")) > 55)
    page.submit("#audit-action", "POST /v1/holds")
    page.at("#audit?action=POST+%2Fv1%2Fholds")
    page.wait(lambda: all("POST /v1/holds" in row.text for row in page.all("#audit .audit-row")))
    page.submit("#audit-action", "DELETE /v1/topics")
    page.fill("#audit-key", "root")
    page.click("#audit form button.primary")
    page.at("#audit?key=root&action=DELETE+%2Fv1%2Ftopics")
    page.read("#audit .audit-row", "DELETE /v1/topics/{topic_id}")
    entry = page.text("#audit .audit-row")
    assert all(part in entry for part in ("API_KEY", "audited-54", "200", "127.0.0.1"))
    href = page.find("#audit a[download]").get_attribute("href")
    assert href is not None
    assert href.endswith("/v1/audit.csv?key=root&action=DELETE+%2Fv1%2Ftopics")
    fetched = page.driver.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0]).then((answer) => answer.text()).then(done)", href
    )
    assert fetched.count("audited-") == 55
    page.click("#audit form button", "Clear")
    page.at("#audit")
    page.fill("#audit-key", "nobody")
    page.click("#audit form button.primary")
    page.read("#audit .status", "Nothing was recorded.")


def test_a_time_that_is_looked_at_is_in_the_address(page: Page) -> None:
    page.open("/#audit?since=2090-01-02T03:04:05.000Z")
    page.read("#audit .status", "Nothing was recorded.")
    assert page.run("return new Date(document.getElementById('audit-since').value).toISOString()") == (
        "2090-01-02T03:04:05.000Z"
    )


def test_only_an_admin_sees_keys_and_the_audit_log(browser: Chrome, harness: BrowserHarness) -> None:
    key = harness.ask("POST", "/v1/keys", {"name": "reader", "scopes": ["read"]})
    page = Page(browser, harness.url)
    browser.delete_all_cookies()
    page.emulate()
    page.open("/#keys")
    page.log_in(key["key"])
    page.wait(lambda: page.find("#places").is_displayed())
    page.wait(lambda: page.find("#now").is_displayed())
    assert not page.find("#keys").is_displayed()
    for name in ("keys", "audit"):
        assert not page.find(f'#places a[href="#{name}"]').is_displayed()
    page.go("topics")
    page.read("#topics .topic", "load")
    assert page.complaints() == []
    browser.delete_all_cookies()

    page.open()
    page.log_in()
    page.open(f"/#audit?key={key['id']}")
    assert "127.0.0.1" in page.read("#audit .audit-row", "POST /v1/session")
