"""One browser and one site for all tests of a process; each test has topics and addresses of its own."""

import os
import shutil
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.page import Page, chromium
from tests.browser.site import Site, site


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        assert not os.environ.get("CI"), "chromium and chromedriver are needed; .ci/run installs them"
        pytest.skip("chromium and chromedriver are not installed (Debian: chromium chromium-driver)")
    with chromium(binary, driver, tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture
def page(browser: Chrome, running: Site) -> Iterator[Page]:
    """Logged in; what the browser complains of afterwards is a failure."""
    opened = Page(browser, running.url)
    browser.delete_all_cookies()
    opened.emulate()
    opened.open()
    opened.log_in()
    opened.read("#tile-waiting dd", "")
    opened.find("#parts li")  # the first event is there
    yield opened
    assert opened.complaints() == []
