"""By keyboard alone, and on a phone."""

from selenium.webdriver.common.keys import Keys

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page

LISTS = ("topics", "search", "dead-letters", "suppressions", "in-doubt")
_FOCUSED = """
const focused = document.activeElement, style = getComputedStyle(focused);
return [focused.id || focused.getAttribute("href") || focused.textContent, style.outlineStyle !== "none"];
"""


def test_everything_is_reached_by_tab_and_seen_to_be(page: Page) -> None:
    page.open()
    page.wait(lambda: page.all("#topics .topic"))
    reached = []
    for _ in range(30):
        page.press(Keys.TAB)
        name, outlined = page.run(_FOCUSED)
        assert outlined, name
        reached.append(name)
        if name == "Cancel":
            break
    links = [f"#{name}" for name in LISTS]
    for name in ["logout", "#dead-letters", "#in-doubt", *links, "Reload", "topic-find", "Look up", "Cancel"]:
        assert name in reached


def test_a_search_and_its_history_need_no_mouse(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map("keyboard", email="keyboard@example.com")])
    page.wait(lambda: harness.sent("keyboard"))
    page.run("document.querySelector('nav a[href=\"#search\"]').focus()")
    page.press(Keys.ENTER)
    page.wait(lambda: page.find("#wanted").is_displayed())
    page.run("document.getElementById('wanted').focus()")
    page.press("keyboard@example.com", Keys.ENTER)
    page.find('#search [data-uuid="keyboard"]')
    page.press(Keys.TAB, Keys.TAB)  # past the button
    page.run("document.querySelector('#search summary').focus()")
    page.press(Keys.ENTER)
    page.read("#search .history", "Created")


def test_a_phone_shows_all_of_it_without_scrolling_sideways(page: Page, harness: BrowserHarness) -> None:
    long = "a-very-long-topic-name-" * 8
    harness.publish([as_map("x" * 200, topic_id=long, email=f"{'long' * 15}@{'example' * 8}.com")])
    page.wait(lambda: harness.sent("x" * 200))
    page.emulate(width=375, height=812, phone=True)
    for name in LISTS:
        page.go(name)
        if name == "search":
            page.submit("#wanted", "x" * 200)
            page.click("#search summary")
            page.read("#search .history", "Created")
        page.wait(lambda: page.run("return document.documentElement.scrollWidth") == 375)
        page.wait(
            lambda: page.run("return document.querySelector('#plot canvas').getBoundingClientRect().right") <= 375
        )


def test_each_field_and_button_has_a_name_for_those_who_listen(page: Page) -> None:
    for name in LISTS:
        page.go(name)
        nameless = page.run(
            "return [...document.querySelectorAll('button, input, select, a, meter')]"
            ".filter((each) => each.checkVisibility() && !each.textContent.trim() && !each.labels?.length && !each.ariaLabel)"
            ".map((each) => each.outerHTML)"
        )
        assert nameless == []
