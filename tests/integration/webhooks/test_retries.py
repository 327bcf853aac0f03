"""What failed is tried again when it is due, and no later."""

from pathlib import Path

import pytest
from aiohttp import web

from email_consumer.webhooks import due_deliveries, schedule
from tests.integration.webhooks.harness import receiver, webhooks
from tests.waiting import until


async def test_a_retry_comes_when_it_is_due_also_while_there_is_nothing_else_to_send(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_DELAYS", (0.1, 0.1))
    monkeypatch.setattr(due_deliveries, "_SHORTEST_WAIT", 0.1)
    monkeypatch.setattr(due_deliveries, "_LONGEST_WAIT", 10_000.0)
    answers = [500, 500, 200]

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0))

    async with receiver(answer) as hook, webhooks(path) as site:
        await site.add(hook.url)
        await site.send(0, 1)
        await hook.until(3)
        await until(lambda: [row[2:] for row in site.deliveries()] == [(3, 0, 1, None)])
