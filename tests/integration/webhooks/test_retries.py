"""What failed is tried again when it is due, and no later."""

import time
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from email_consumer.runtime import supervisor
from email_consumer.webhooks import due_deliveries, schedule
from email_consumer.webhooks.due_deliveries import DueDeliveries
from email_consumer.webhooks.sender import Answer
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


async def test_deliveries_that_crash_are_logged_and_go_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART_PAUSE", 0.0)
    read, crashed = DueDeliveries.read, False

    async def crashes_once(due: DueDeliveries, at_once: int) -> float:
        nonlocal crashed
        seconds = await read(due, at_once)
        if site.deliveries() and not crashed:  # with an event in memory, which must not be forgotten
            crashed = True
            raise RuntimeError("unforeseen")
        return seconds

    monkeypatch.setattr(DueDeliveries, "read", crashes_once)
    with capture_logs() as log:
        async with receiver() as hook, webhooks(path) as site:
            endpoint = await site.add(hook.url)
            await site.send(0, 1)
            await hook.until(1)
            await site.send(1, 1)  # announced to those that go on
            await hook.until(2)
    [line] = [each for each in log if each["log_level"] == "error"]
    assert (line["event"], line["service"]) == ("service.crashed", f"webhook {endpoint.id}")


async def test_an_attempt_that_crashes_every_time_is_made_again_after_a_pause(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []

    async def crash(*_: object) -> Answer:
        begun.append(time.monotonic())
        raise RuntimeError("unforeseen")

    async with webhooks(path) as site:
        monkeypatch.setattr(site.sender, "send", crash)
        await site.add("https://example.com/hook")
        await site.send(0, 1)
        await until(lambda: len(begun) >= 3)
    assert begun[2] - begun[0] > 1.5
