"""The page at the end of an unsubscribe link, as its recipient sees it: without scripts, on a phone, in their language."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys

from tests.acceptance.publisher import as_map
from tests.browser.harness import SENDER, BrowserHarness
from tests.browser.page import Page
from tests.waiting import PATIENCE

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
"""https://github.com/dequelabs/axe-core, which finds what those who listen or see little would stumble over."""

LANGUAGES = ("en", "de", "fr", "ja")
DEVICES = {"desktop": (1280, 900), "phone": (375, 812)}
MAILINGS: dict[str, dict[str, Any]] = {
    "news": {"unsubscribe_group": "news"},
    "offers": {"unsubscribe_group": "offers"},
    "reset": {"lane": "transactional"},
}
_RUN_AXE = (
    "const done = arguments[0]; axe.run().then((found) => done(found.violations.map((each) => JSON.stringify(each))))"
)


@pytest.fixture
def reader(browser: Chrome, harness: BrowserHarness) -> Iterator[Page]:
    """A browser that never logged in."""
    opened = Page(browser, harness.url)
    browser.delete_all_cookies()
    opened.emulate()
    browser.execute_cdp_cmd("Network.enable", {})
    yield opened
    assert opened.complaints() == []
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})
    opened.emulate()


def speak(page: Page, language: str) -> None:
    page.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})


@contextmanager
def without_scripts(page: Page) -> Iterator[None]:
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    yield
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def link(harness: BrowserHarness, address: str, uuid: str, **fields: object) -> str:
    """The path of the link in the text of a mail."""
    harness.publish([as_map(uuid, email=address, text="leave: {{unsubscribe_url}}", **fields)])
    harness.do(harness.sandbox.get("/messages/wait", uuid=uuid, count=1, timeout=PATIENCE))
    [mail] = harness.do(harness.sandbox.get("/messages", uuid=uuid))["messages"]
    return str(urlsplit(mail["text"].removeprefix("leave: ").strip()).path)


def arriving(harness: BrowserHarness, address: str, name: str) -> set[str]:
    """Which mailings reach SES."""
    uuids = {mailing: f"{name}-{mailing}" for mailing in MAILINGS}
    harness.publish([as_map(uuids[mailing], email=address, **fields) for mailing, fields in MAILINGS.items()])

    async def settled() -> dict[str, str]:
        found: dict[str, str] = {}
        while len(found) < len(uuids):
            for mailing, uuid in uuids.items():
                async with harness.session.get(f"{harness.url}/v1/messages/{uuid}") as response:
                    if response.status == 200 and (status := (await response.json())["status"]) in {"Sent", "Stopped"}:
                        found[mailing] = status
            await asyncio.sleep(0.05)
        return found

    return {mailing for mailing, status in harness.do(settled()).items() if status == "Sent"}


def test_without_scripts_one_group_is_left_and_then_everything(reader: Page, harness: BrowserHarness) -> None:
    address = "scriptless@example.com"
    path = link(harness, address, "scriptless", **MAILINGS["news"])
    with without_scripts(reader):
        reader.open(path)
        asked = reader.text("main")
        for text in (address, "news", "password resets"):
            assert text in asked
        assert reader.text("header") == SENDER
    assert arriving(harness, address, "asked") == {"news", "offers", "reset"}, "looking changes nothing"
    with without_scripts(reader):
        reader.click("button", "news")
        reader.read("h1", "You are unsubscribed")
        reader.open(path)
        reader.click("button", "news")  # a second time
        reader.read("h1", "You are unsubscribed")
    assert arriving(harness, address, "left-news") == {"offers", "reset"}
    with without_scripts(reader):
        reader.click("a", "all")
        reader.click("button", "all")
        reader.read("main", "no more mailings")
        assert reader.all("button") == []
    assert arriving(harness, address, "left-all") == {"reset"}


def test_by_keyboard_alone(reader: Page, harness: BrowserHarness) -> None:
    reader.open(link(harness, "keys@example.com", "keys", **MAILINGS["news"]))
    reader.press(Keys.TAB, Keys.TAB)
    assert reader.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    reader.press(Keys.ENTER)
    reader.read("main", "no more mailings")


@pytest.mark.skipif(
    not AXE.exists() and not os.environ.get("CI"), reason="axe-core is needed (npm ci in tests/browser/axe)"
)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", DEVICES)
def test_every_state_is_readable_for_everybody(
    reader: Page, harness: BrowserHarness, device: str, scheme: str, language: str
) -> None:
    width, height = DEVICES[device]
    name = f"{device}-{scheme}-{language}"
    reader.emulate(scheme, width, height, phone=device == "phone")
    speak(reader, language)
    path = link(harness, f"{'a' * 30}.{name}@{'long' * 12}.example", name, unsubscribe_group="g" * 64)
    reader.open(path)
    look_at(reader, f"{name}-asked", language, width)
    reader.find("button").click()
    reader.find("a")
    look_at(reader, f"{name}-left-group", language, width)
    reader.find("a").click()
    reader.wait(lambda: len(reader.all("button")) == 2)
    reader.all("button")[1].click()
    reader.wait(lambda: not reader.all("button"))
    look_at(reader, f"{name}-left-all", language, width)
    reader.open(path[:-1])
    look_at(reader, f"{name}-unknown", language, width)


def look_at(page: Page, name: str, language: str, width: int) -> None:
    """No finding of axe, nothing beyond the edge; a screenshot where `SCREENSHOTS` names a directory."""
    page.run(AXE.read_text())
    assert page.driver.execute_async_script(_RUN_AXE) == []
    assert page.run("return document.documentElement.lang") == language
    assert page.run("return document.documentElement.scrollWidth") <= width
    if directory := os.environ.get("SCREENSHOTS"):
        page.driver.save_screenshot(str(Path(directory) / f"{name}.png"))
