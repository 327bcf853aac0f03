"""One browser and one harness for all tests of a process; each test uses different topics and addresses."""

import asyncio
import os
import shutil
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.harness import SENDER, BrowserHarness, run_harness
from tests.browser.page import Page, chromium
from tests.browser.past_week import write_past_week, zone_at_noon


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        assert not os.environ.get("CI"), "chromium and chromedriver are needed; .ci/run installs them"
        pytest.skip("chromium with chromedriver is needed (Debian: chromium chromium-driver)")
    with chromium(binary, driver, tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="package")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserHarness]:
    filled = tmp_path_factory.mktemp("filled") / "email.db"
    asyncio.run(write_past_week(filled))
    variables = {"SENDER_NAME": SENDER, "TIMEZONE": zone_at_noon()}
    with run_harness(tmp_path_factory.mktemp("harness"), filled=filled, **variables) as started:
        yield started


@pytest.fixture
def page(browser: Chrome, harness: BrowserHarness) -> Iterator[Page]:
    """Logged in; what the browser complains of afterwards is a failure."""
    opened = Page(browser, harness.url)
    opened.emulate()
    opened.open_logged_in()
    yield opened
    assert opened.complaints() == []
