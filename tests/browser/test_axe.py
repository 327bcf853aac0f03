"""No finding of axe in any place of the page, light and dark."""

import os

import pytest

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page
from tests.browser.test_access import PLACES
from tests.browser.test_unsubscribe import _RUN_AXE, AXE


@pytest.mark.skipif(
    not AXE.exists() and not os.environ.get("CI"), reason="axe-core is needed (npm ci in tests/browser/axe)"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_place_has_a_finding(page: Page, harness: BrowserHarness, scheme: str) -> None:
    uuid = f"axe-{scheme}"
    harness.reject(f"{uuid}@example.com", "no")
    harness.publish([as_map(uuid, topic_id="axe"), as_map(f"{uuid}-dead", email=f"{uuid}@example.com", topic_id="axe")])
    page.wait(lambda: harness.ask("GET", f"/v1/messages/{uuid}").get("results"))
    page.wait(lambda: harness.ask("GET", f"/v1/messages/{uuid}-dead").get("status") == "Failed")
    page.emulate(scheme)
    shown = {f"mail/{uuid}": "ol.history", "topics/axe": ".progress", "find/axe": ".rows", "stats": "table"}
    found: dict[str, object] = {}
    for place in [*PLACES, *shown]:
        page.open(f"/#{place}")
        page.wait(lambda place=place: page.text(f"#{place.partition('/')[0]} {shown.get(place, '')}"))  # type: ignore[misc]
        page.run(AXE.read_text())
        if violations := page.driver.execute_async_script(_RUN_AXE):
            found[place] = violations
    page.emulate()
    assert found == {}
