"""Who sees what, and where the key is left: nowhere."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.harness import KEY, BrowserHarness, run_harness
from tests.browser.page import Page


@pytest.fixture
def visitor(browser: Chrome, harness: BrowserHarness) -> Iterator[Page]:
    """Not logged in."""
    page = Page(browser, harness.url)
    browser.delete_all_cookies()
    page.emulate()
    page.open()
    yield page
    assert page.complaints() == []


def test_only_a_right_key_opens_the_page(visitor: Page) -> None:
    visitor.wait(lambda: visitor.find("#key") == visitor.driver.switch_to.active_element)
    assert not visitor.find("#now").is_displayed()
    for wrong in ("wrong", "ключ"):
        visitor.log_in(wrong)
        visitor.read("#login-error", "Invalid API key")
    visitor.log_in()
    visitor.wait(lambda: visitor.find("#now").is_displayed())
    assert not visitor.find("#login").is_displayed()


def test_the_key_is_kept_nowhere_and_the_cookie_is_out_of_reach(visitor: Page) -> None:
    visitor.log_in()
    visitor.wait(lambda: visitor.find("#places").is_displayed())
    [cookie] = visitor.driver.get_cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    everything = visitor.run(
        "return [location.href, document.cookie, JSON.stringify({...localStorage, ...sessionStorage}),"
        " document.documentElement.outerHTML, document.getElementById('key').value].join()"
    )
    assert KEY not in everything
    assert str(cookie["value"]) not in everything
    assert KEY not in str(cookie["value"])


def test_a_session_outlives_a_reload_and_ends_with_a_logout(visitor: Page) -> None:
    visitor.log_in()
    visitor.wait(lambda: visitor.find("#places").is_displayed())
    visitor.open()
    visitor.wait(lambda: visitor.find("#places").is_displayed())
    visitor.click("#logout")
    visitor.wait(lambda: visitor.find("#login").is_displayed())
    assert visitor.driver.get_cookies() == []
    assert visitor.text("#now") == ""


def test_a_session_that_ended_elsewhere_leads_back_to_the_login(visitor: Page, harness: BrowserHarness) -> None:
    visitor.log_in()
    visitor.wait(lambda: visitor.find("#places").is_displayed())
    end_session(visitor, harness)
    visitor.wait(lambda: visitor.find("#login").is_displayed())
    assert not visitor.find("#now").is_displayed()


def end_session(visitor: Page, harness: BrowserHarness) -> None:
    """Behind the page's back."""
    [cookie] = visitor.driver.get_cookies()

    async def end() -> None:
        headers = {"Cookie": f"{cookie['name']}={cookie['value']}", "Sec-Fetch-Site": "same-origin"}
        async with harness.session.delete(f"{harness.url}/v1/session", headers=headers) as response:
            assert response.status == 204

    harness.do(end())


_DELAY_ONE_SESSION = """
const fetched = window.fetch;
window.delayed = 0;
window.fetch = async (path, options) => {
  const response = await fetched(path, options);
  if (path === "/v1/session" && options.method === "GET" && ++window.delayed === 1) {
    await new Promise((release) => { window.release = release; });
  }
  return response;
};
"""


def test_a_late_response_from_before_the_login_does_not_undo_it(visitor: Page, harness: BrowserHarness) -> None:
    visitor.log_in()
    visitor.wait(lambda: visitor.find("#places").is_displayed())
    visitor.run(_DELAY_ONE_SESSION)
    end_session(visitor, harness)
    visitor.log_in()  # the page has asked again
    visitor.wait(lambda: visitor.find("#places").is_displayed())
    visitor.driver.execute_async_script("window.release(); setTimeout(arguments[0])")
    assert not visitor.find("#login").is_displayed()


def test_the_public_sees_only_numbers_and_that_no_key_is_set(
    browser: Chrome, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with run_harness(tmp_path_factory.mktemp("public"), API_KEY="", DASHBOARD_PUBLIC="true") as public:
        page = Page(browser, public.url)
        browser.delete_all_cookies()
        page.open()
        page.wait(lambda: page.number("#legend-bulk") > 0)
        page.wait(lambda: len(page.all("#parts li")) == 4)
        assert page.text("#parts").split() == ["NATS", "up", "SES", "up", "SQLite", "up", "SNS", "up"]
        assert not page.find("#places").is_displayed()
        assert page.all("#tiles a") == []
        page.click("#show-login")
        page.read("#login", "No API key is set")
        assert not page.find("#login-form").is_displayed()
        assert page.complaints() == []
