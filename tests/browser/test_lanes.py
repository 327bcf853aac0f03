"""Both lanes on the page: two curves and two queues; and that there is one lane, where that is so."""

import os
import re
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness, run_harness
from tests.browser.page import Page
from tests.browser.test_live import PAINTED, UNKNOWN

_PINK, _LIGHT_PINK = [162, 28, 175], [240, 171, 252]
_PHONE = {"width": 390, "height": 844, "phone": True}


def _publish_urgent(harness: BrowserHarness, name: str, mails: int) -> None:
    payloads = [as_map(f"{name}-{number}") for number in range(mails)]
    harness.do(harness.publisher.publish(payloads, transactional=True))


def _capture(page: Page, name: str) -> None:
    """Nothing is wider than the screen; a screenshot where `SCREENSHOTS` names a directory."""
    for scheme in ("light", "dark"):
        for device, size in [("desktop", {}), ("phone", _PHONE)]:
            page.emulate(scheme, **size)  # type: ignore[arg-type]
            colour = _LIGHT_PINK if scheme == "dark" else _PINK
            page.wait(lambda colour=colour: page.run(PAINTED, colour) > 10)  # type: ignore[misc]
            assert page.run("return document.documentElement.scrollWidth <= innerWidth")
            if directory := os.environ.get("SCREENSHOTS"):
                page.driver.save_screenshot(str(Path(directory) / f"{name}-{device}-{scheme}.png"))
    page.emulate()


def test_each_lane_has_its_curve_and_its_queue(page: Page, harness: BrowserHarness) -> None:
    _publish_urgent(harness, "urgent", 100)
    page.wait(lambda: page.number("#legend-transactional") > 0)
    page.wait(lambda: page.number("#legend-bulk") > 0)
    page.wait(lambda: page.run(PAINTED, _PINK) > 10)
    page.wait(lambda: page.text("#tile-transactional .of") == f"oldest {UNKNOWN}")
    assert page.text("#tile-transactional dd") == "0"
    assert page.all('[data-part="Lanes"]') == []
    harness.account(sending_enabled=False)
    try:
        page.read("#notice", "SES is blocking mail")
        _publish_urgent(harness, "later", 800)  # more than the lane's delivery slots
        page.wait(lambda: page.number("#tile-transactional dd") > 0)
        page.wait(lambda: re.match(r"oldest [1-9]", page.text("#tile-bulk .of")))
        page.wait(lambda: "alarm" in str(page.find("#tile-transactional").get_attribute("class")))  # older than 5 s
        assert "alarm" not in str(page.find("#tile-bulk").get_attribute("class"))
        _capture(page, "lanes")
    finally:
        harness.account(sending_enabled=True)
    page.wait(lambda: page.text("#tile-transactional .of") == f"oldest {UNKNOWN}")


def test_one_lane_says_so(browser: Chrome, tmp_path_factory: pytest.TempPathFactory) -> None:
    with run_harness(tmp_path_factory.mktemp("one-lane"), SUBJECT="messages.*") as harness:
        page = Page(browser, harness.url)
        page.emulate()
        page.open_logged_in()
        text = page.read('[data-part="Lanes"]', "one lane")
        assert "covers 'messages.transactional'" in text
        assert page.text("#tile-transactional dd") == UNKNOWN
        assert page.text("#tile-transactional .of") == "one lane for all mail"
        _publish_urgent(harness, "urgent", 1)
        page.wait(lambda: harness.sent("urgent-0"))
        page.wait(lambda: page.number("#tile-bulk dd") >= 0)
        if directory := os.environ.get("SCREENSHOTS"):
            page.driver.save_screenshot(str(Path(directory) / "one-lane.png"))
        assert page.complaints() == []
