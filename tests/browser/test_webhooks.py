"""Webhook endpoints on the page: added, tested, given a new secret, watched, sent again, removed."""

from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from tests.acceptance.publisher import as_map
from tests.browser.harness import BrowserHarness
from tests.browser.page import Page
from tests.integration.webhooks.harness import Receiver, receiver, well


@pytest.fixture
def hook(harness: BrowserHarness) -> Iterator[Receiver]:
    """Somebody else's server."""
    stack = AsyncExitStack()

    async def start() -> Receiver:
        return await stack.enter_async_context(receiver())

    yield harness.do(start())
    harness.do(stack.aclose())


def _secret(page: Page, other_than: str = "") -> str:
    page.read("#webhooks .status", "Secret, shown only now:")
    page.wait(lambda: page.text("#webhooks .secret code") != other_than)
    return page.text("#webhooks .secret code")


def test_an_endpoint_from_its_first_event_to_its_end(page: Page, harness: BrowserHarness, hook: Receiver) -> None:
    page.go("webhooks")
    page.fill("#webhook-url", hook.url)
    page.fill("#webhook-types", "sent")
    page.fill("#webhook-topics", "hooked")
    page.find("#webhook-lane").send_keys("Bulk")
    page.click("#webhooks form button.primary")
    secret = _secret(page)
    [endpoint] = [each["id"] for each in harness.ask("GET", "/v1/webhooks")["webhooks"] if each["url"] == hook.url]
    row = f'#webhooks [data-webhook="{endpoint}"]'
    assert "sent · hooked · Bulk" in page.read(row, "healthy")

    page.click(f"{row} .actions button", "Test")
    page.read("#webhooks .status", "The test event was delivered.")
    page.click(f"{row} .actions button", "New secret")
    page.read("#confirm-text", "stays valid for a day")
    page.click("#confirm-yes")
    rotated = _secret(page, secret)

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=410, text="no more")

    hook.answering = refuse
    harness.publish([as_map("hooked-1", topic_id="hooked"), as_map("hooked-2", topic_id="else")])
    page.wait(lambda: harness.ask("GET", f"/v1/webhooks/{endpoint}")["disabled_at"])
    page.click("#webhooks .list-head button", "Reload")
    page.read(row, "it answered 410 Gone")

    hook.answering = well
    page.click(f"{row} .actions button", "Enable")
    page.read("#webhooks .status", "what waits is sent")
    page.click(f"{row} summary", "Deliveries")
    page.click(f"{row} .list-head button", "Send failed ones again")
    delivery = f"{row} [data-delivery]"
    page.wait(lambda: [each["delivered_at"] is not None for each in _deliveries(harness, endpoint)] == [True])
    page.click(f"{row} .list-head button", "Reload")
    page.read(delivery, "delivered")
    before = len(hook.received)
    page.click(f"{delivery} button", "Send again")
    page.read(f"{row} .status", "1 will be sent again.")
    page.wait(lambda: len(hook.received) > before)
    last = hook.received[-1]
    assert last.event["uuid"] == "hooked-1"
    for key in (secret, rotated):
        Webhook(key).verify(last.body, dict(last.headers))

    page.click(f"{row} .actions .danger", "Remove")
    page.read("#confirm-text", f"Remove the endpoint {hook.url} and all its deliveries?")
    page.click("#confirm-yes")
    page.read("#webhooks .status", "The endpoint is removed.")
    assert page.all(row) == []
    assert endpoint not in str(harness.ask("GET", "/v1/webhooks"))


def _deliveries(harness: BrowserHarness, endpoint: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = harness.ask("GET", f"/v1/webhooks/{endpoint}/deliveries")["deliveries"]
    return found


def test_what_can_not_be_an_endpoint_is_said(page: Page) -> None:
    page.go("webhooks")
    page.fill("#webhook-url", "https://example.com/hook")
    page.fill("#webhook-types", "sent, lost")
    page.click("#webhooks form button.primary")
    page.read("#webhooks .status.error", "'lost' is not a type of event")
