"""The page in a real browser, as an operator uses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.harness import KEY
from tests.waiting import PATIENCE

# Runs before anything of the page; what the policy stopped, and what evil text got done, is remembered.
_WITNESS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""

# One request of the driver, where asking an element for its text takes two, and a script of 50 KB.
_TEXT = """
const shown = [...document.querySelectorAll(arguments[0])].find((element) => element.checkVisibility());
return shown?.innerText.trim() ?? "";
"""

Found = TypeVar("Found")


class Page:
    """Every wait ends with what it waited for, or fails."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, path: str = "/") -> None:
        self.driver.get(self.url + path)

    def open_logged_in(self) -> None:
        """With the session of the page before, where there still is one; until the first event of the live part is there."""
        self.open()
        self.wait(lambda: self.find("#login-form").is_displayed() or self.text("#parts li"))
        if self.find("#login-form").is_displayed():
            self.log_in()
            self.wait(lambda: self.text("#parts li"))

    def log_in(self, key: str = KEY) -> None:
        """By the form, as soon as it shows."""
        self.wait(lambda: self.find("#login-form").is_displayed())
        self.fill("#key", key)
        self.find("#login-form button").click()

    def go(self, name: str) -> None:
        """To one of the places."""
        self.click(f'#places a[href="#{name}"]')
        self.wait(lambda: self.find(f"#{name}").is_displayed())

    def look_for(self, text: str) -> None:
        """By the search of the head."""
        self.submit("#find-text", text)

    def at(self, hash_: str) -> None:
        """Wait until this is the location."""
        self.wait(
            lambda: self.run("return location.hash") == hash_, f"{hash_} instead of {self.run('return location.hash')}"
        )

    def find(self, css: str) -> WebElement:
        """The first such element, which may be there in a moment."""
        return self.wait(lambda: next(iter(self.all(css)), None))

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        """What a person reads at the first such element that shows; empty if none does."""
        return str(self.run(_TEXT, css))

    def read(self, css: str, fragment: str) -> str:
        """Wait until a fragment stands there; the whole text."""
        self.wait(lambda: fragment in self.text(css), f"{fragment!r} at {css}, where there is {self.text(css)!r}")
        return self.text(css)

    def number(self, css: str) -> float:
        """-1 without one."""
        try:
            return float(self.text(css).replace(",", ""))
        except ValueError:
            return -1

    def fill(self, css: str, text: str) -> None:
        field = self.find(css)
        field.clear()
        field.send_keys(text)

    def click(self, css: str, text: str = "") -> None:
        """The first such element that shows, or the first with this text."""

        def clicked() -> bool:
            shown = (found for found in self.all(css) if found.is_displayed() and text in found.text)
            if element := next(shown, None):
                element.click()  # one that the page replaces at this moment is looked for again
            return element is not None

        self.wait(clicked, f"{text!r} at {css}")

    def submit(self, css: str, text: str) -> None:
        """Fill a field and press Enter."""
        self.fill(css, text)
        self.find(css).send_keys(Keys.ENTER)

    def press(self, *keys: str) -> None:
        """Keys for whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def wait(self, condition: Callable[[], Found | None], what: str = "") -> Found:
        waiting = WebDriverWait(self.driver, PATIENCE, 0.1, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: condition() or False, what)

    def run(self, script: str, *arguments: object) -> Any:
        """JavaScript's answer."""
        return self.driver.execute_script(script, *arguments)

    def emulate(self, scheme: str = "light", width: int = 1280, height: int = 900, *, phone: bool = False) -> None:
        """Colours and size as of another device."""
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def complaints(self) -> list[str]:
        """What the policy stopped and the console reports since the last call; a refused request is no fault of the page."""
        log: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        found: list[str] = self.run("return window.violations.splice(0)")
        found += [entry["message"] for entry in log if entry["level"] == "SEVERE"]
        return [line for line in found if "Failed to load resource" not in line]


@contextmanager
def chromium(binary: str, driver: str, profile: Path) -> Iterator[Chrome]:
    """A browser that asks nobody else for anything."""
    options = ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options, ChromeService(driver))
    try:
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WITNESS})
        yield chrome
    finally:
        chrome.quit()
