"""The live part: it moves, it remembers, and it says what is wrong."""

import re

from tests.acceptance.publisher import as_map
from tests.browser.harness import LOAD, BrowserHarness
from tests.browser.page import Page

PAINTED = """
const canvas = document.querySelector("#plot canvas"), context = canvas?.getContext("2d");
if (!context) return 0;
const [red, green, blue] = arguments[0];
const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
let found = 0;
for (let at = 0; at < pixels.length; at += 4) {
  if (pixels[at] === red && pixels[at + 1] === green && pixels[at + 2] === blue && pixels[at + 3] === 255) found += 1;
}
return found;
"""
_HISTORY = """
const [done] = arguments, source = new EventSource("/v1/live");
source.addEventListener("history", (event) => {
  source.close();
  done(JSON.parse(event.data).length);
});
"""
_HIDE = """
const [hidden] = arguments, close = EventSource.prototype.close;
let last = null;
EventSource.prototype.close = function () {
  close.call(this);
  last = this;
};
Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
document.dispatchEvent(new Event("visibilitychange"));
EventSource.prototype.close = close;
return last?.readyState;
"""
EVENT_SOURCE_CLOSED = 2
UNKNOWN = "\u2013"
_BLUE, _LIGHT_BLUE = [37, 99, 235], [110, 168, 254]


def test_the_plot_moves_and_the_numbers_follow_the_load(page: Page) -> None:
    page.wait(lambda: LOAD / 2 < page.number("#legend-bulk") < LOAD * 2)
    assert page.number("#legend-limit") == 500
    page.wait(lambda: page.run(PAINTED, _BLUE) > 10)
    assert page.run(PAINTED, _LIGHT_BLUE) == 0
    page.wait(lambda: page.number("#tile-quota dd") > 0)
    before = page.number("#tile-quota dd")
    page.wait(lambda: page.number("#tile-quota dd") > before)
    assert re.fullmatch(r"[\d.]+/s · email_consumer", page.driver.title)
    assert page.text("#notice") == ""
    names = [line.text.split()[0] for line in page.all("#parts li")]
    assert names == ["NATS", "SES", "SQLite", "SNS"]
    page.read('[data-part="SNS"]', "last event")


def test_who_opens_the_page_sees_what_was(page: Page) -> None:
    page.wait(lambda: page.driver.execute_async_script(_HISTORY) > 5)
    page.open()
    page.wait(lambda: page.run(PAINTED, _BLUE) > 10)


def test_the_plot_follows_light_and_dark(page: Page) -> None:
    page.emulate("dark")
    page.wait(lambda: page.run(PAINTED, _LIGHT_BLUE) > 10)
    assert page.run(PAINTED, _BLUE) == 0
    page.emulate("light")
    page.wait(lambda: page.run(PAINTED, _BLUE) > 10)


def test_a_hidden_page_asks_for_nothing(page: Page) -> None:
    page.wait(lambda: page.number("#legend-bulk") > 0)
    assert page.run(_HIDE, True) == EVENT_SOURCE_CLOSED
    page.run("document.getElementById('legend-bulk').textContent = ''")
    page.run(_HIDE, False)
    page.wait(lambda: page.number("#legend-bulk") > 0)


def test_throttles_and_retries_are_counted(page: Page, harness: BrowserHarness) -> None:
    error = {"kind": "error", "code": "TooManyRequestsException"}
    harness.fault({"uuid": "throttled-*"}, times=3, **error)
    harness.fault({"uuid": "failing-*"}, times=2, kind="error", code="InternalFailure")
    harness.publish([as_map(f"throttled-{number}") for number in range(3)] + [as_map(f"failing-{n}") for n in range(2)])
    page.wait(lambda: page.number("#tile-throttles dd") >= 3)
    page.wait(lambda: page.number("#tile-retries dd") >= 2)
    assert "alarm" in str(page.find("#tile-throttles").get_attribute("class"))


def test_a_held_queue_is_shown_with_its_reason_and_backlog(page: Page, harness: BrowserHarness) -> None:
    harness.account(sending_enabled=False)
    try:
        page.read("#notice", "SES is blocking mail")
        page.read('[data-part="SES"]', "blocking mail")
        page.wait(lambda: page.number("#tile-unsettled dd") + page.number("#tile-bulk dd") > LOAD)
        page.wait(lambda: re.match(r"oldest [1-9]", page.text("#tile-bulk .of")))
        page.wait(lambda: page.number("#legend-limit") == 0)
        page.wait(lambda: page.driver.title.startswith("⚠"))
    finally:
        harness.account(sending_enabled=True)
    page.wait(lambda: not page.find("#notice").is_displayed())
    page.wait(lambda: page.number("#legend-bulk") > 0)


def test_a_lost_nats_server_is_shown_and_its_return_too(page: Page, harness: BrowserHarness) -> None:
    page.read('[data-part="NATS"]', "up")
    harness.do(harness.nats.kill())
    page.read("#notice", "NATS is down")
    page.wait(lambda: page.text("#tile-bulk dd") == UNKNOWN)
    harness.do(harness.nats.restart())
    page.read('[data-part="NATS"]', "up")
    page.wait(lambda: not page.find("#notice").is_displayed())
    page.wait(lambda: page.number("#legend-bulk") > 0)


def test_a_lost_daemon_is_shown_and_its_return_asks_for_the_key(page: Page, harness: BrowserHarness) -> None:
    page.wait(lambda: page.number("#legend-bulk") > 0)
    assert harness.do(harness.daemon.stop()) == 0  # an open page keeps nobody from stopping
    page.read("#notice", "No connection to the daemon")
    harness.do(harness.daemon.start())
    page.wait(lambda: page.find("#login").is_displayed())  # sessions are kept in memory
    page.log_in()
    page.wait(lambda: page.number("#legend-bulk") > 0)
