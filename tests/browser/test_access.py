"""By keyboard alone, and on a phone."""

from selenium.webdriver.common.keys import Keys

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page

PLACES = (
    *("now", "stats", "mail", "topics", "waiting", "reputation", "dead-letters", "in-doubt", "suppressions"),
    *("webhooks", "keys", "audit"),
)
_FOCUSED = """
const focused = document.activeElement, style = getComputedStyle(focused);
return [focused.id || focused.getAttribute("href") || focused.textContent, style.outlineStyle !== "none"];
"""


def _tab(page: Page, last: str) -> list[str]:
    """What the key reaches, each with an outline, until `last`."""
    reached: list[str] = []
    while last not in reached:
        page.press(Keys.TAB)
        name, outlined = page.run(_FOCUSED)
        assert outlined, name
        reached.append(name)
        assert len(reached) < 40, reached
    return reached


def test_everything_is_reached_by_tab_and_seen_to_be(page: Page) -> None:
    page.open()
    page.wait(lambda: page.all("#just-sent a.open"))
    head = _tab(page, "#audit")
    assert head == ["find-text", "logout", *(f"#{place}" for place in PLACES)]
    page.go("topics")
    page.wait(lambda: page.all("#topics .topic"))
    assert {"Reload", "topic-find", "Look up"} <= set(_tab(page, "#topics/load"))


def test_a_search_and_a_list_need_no_mouse(page: Page, harness: BrowserHarness) -> None:
    harness.publish([as_map(f"keyboard-{number}", email="keyboard@example.com") for number in range(2)])
    page.wait(lambda: harness.sent("keyboard-0") and harness.sent("keyboard-1"))
    page.press("/")
    page.press("keyboard@example.com", Keys.ENTER)
    page.wait(lambda: len(page.all("#mail [data-uuid]")) == 2)
    page.press(Keys.ESCAPE)  # leaves the field
    first, second = [row.get_attribute("data-uuid") for row in page.all("#mail [data-uuid]")]
    page.press(Keys.ARROW_DOWN)
    page.press(Keys.ARROW_DOWN)
    assert page.run(_FOCUSED)[0] == f"#mail/{second}"
    page.press(Keys.ARROW_UP)
    assert page.run(_FOCUSED)[0] == f"#mail/{first}"
    page.press(Keys.ENTER)
    page.read("#mail ol.history", "Created")
    page.press(Keys.ESCAPE)  # back to the list
    page.wait(lambda: len(page.all("#mail [data-uuid]")) == 2)


def test_the_present_place_is_marked_for_those_who_listen(page: Page) -> None:
    for name in PLACES:
        page.go(name)
        marked = page.wait(lambda: page.all("#places [aria-current]"))
        assert [link.get_attribute("href") for link in marked] == [f"{page.url}/#{name}"]


def test_a_phone_shows_all_of_it_without_scrolling_sideways(page: Page, harness: BrowserHarness) -> None:
    long = "a-very-long-topic-name-" * 8
    harness.publish([as_map("x" * 200, topic_id=long, email=f"{'long' * 15}@{'example' * 8}.com")])
    page.wait(lambda: harness.sent("x" * 200))
    page.emulate(width=375, height=812, phone=True)
    for name in PLACES:
        page.go(name)
        page.wait(lambda: page.run("return document.documentElement.scrollWidth") == 375)
        assert page.run("return document.querySelector('header').getBoundingClientRect().height") <= 200
    page.go("now")
    page.wait(lambda: page.run("return document.querySelector('#plot canvas').getBoundingClientRect().right") <= 375)
    for place, shown in ((f"#topics/{long}", "#topics .progress"), ("#mail/" + "x" * 200, "#mail ol.history")):
        page.open(f"/{place}")
        page.wait(lambda shown=shown: page.text(shown))  # type: ignore[misc]
        assert page.run("return document.documentElement.scrollWidth") == 375


def test_each_field_and_button_has_a_name_for_those_who_listen(page: Page) -> None:
    for name in PLACES:
        page.go(name)
        nameless = page.run(
            "return [...document.querySelectorAll('button, input, select, a, meter')]"
            ".filter((each) => each.checkVisibility() && !each.textContent.trim() && !each.labels?.length && !each.ariaLabel)"
            ".map((each) => each.outerHTML)"
        )
        assert nameless == []
