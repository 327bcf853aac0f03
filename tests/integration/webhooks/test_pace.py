"""Requests wait for answers alone: not for commits, nor for a query each. What is in memory is bounded, and never out of date for long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from email_consumer.store.database import Database
from email_consumer.webhooks import due_deliveries, schedule, statements
from email_consumer.webhooks.due_deliveries import MOST, DueDeliveries
from email_consumer.webhooks.endpoint import Endpoint
from tests.integration.webhooks.harness import WebhooksHarness, receiver, webhooks
from tests.waiting import until


async def add_deliveries(database: Database, endpoint: Endpoint, first: int, count: int) -> None:
    """As the fan-out does."""
    new = {"endpoint": endpoint.id, "type": "sent", "body": "{}", "traceparent": None, "now": time.time()}
    async with database.transaction() as connection:
        await connection.executemany(
            statements.ADD_DELIVERY, [new | {"event": f"evt_{number}"} for number in range(first, first + count)]
        )


async def due_deliveries_of(site: WebhooksHarness, count: int) -> DueDeliveries:
    """Of an endpoint to which nothing is sent meanwhile."""
    endpoint = await site.add("http://127.0.0.1:9/hook")
    await site.endpoints.disable(endpoint, "test")
    await add_deliveries(site.feedback.database, endpoint, 0, count)
    return DueDeliveries(site.feedback.database, endpoint.id)


def answers_after(go: asyncio.Event) -> Callable[[web.Request], Awaitable[web.Response]]:
    """For a receiver that takes a request at once, and answers it after the signal."""

    async def answer(_request: web.Request) -> web.Response:
        await go.wait()
        return web.Response()

    return answer


def taken(due: DueDeliveries) -> list[str]:
    found = []
    while row := due.take():
        found.append(row["event_id"])
    return found


async def test_answers_make_room_before_they_are_recorded_and_a_bounded_number_of_them_waits(path: Path) -> None:
    go = asyncio.Event()
    async with receiver(answers_after(go)) as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await add_deliveries(site.feedback.database, endpoint, 0, MOST + 100)
        site.deliverer.due({endpoint.id})
        await hook.until(8)
        async with site.feedback.database.transaction():  # as a locked file, or a full disk
            go.set()
            await hook.until(MOST // 2)
            for _ in range(100):  # meanwhile eight times as many could be sent
                await site.sender.send(endpoint, "evt_test", "{}")
            assert len(hook.received) <= MOST + 100
        await hook.until(MOST + 200)
        await until(lambda: all(row[2:] == (1, 0, 1, None) for row in site.deliveries()))
    assert len({each.headers["webhook-id"] for each in hook.received}) == MOST + 101


async def test_a_process_that_ends_in_good_order_repeats_nothing(path: Path) -> None:
    async with receiver() as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await add_deliveries(site.feedback.database, endpoint, 0, 100)
        async with site.feedback.database.transaction():  # until the end, no result is recorded
            site.deliverer.due({endpoint.id})
            await hook.until(100)
            await until(lambda: site.metrics.webhook_attempts["delivered"] == 100)
    async with webhooks(path) as site:
        assert all(row[2:] == (1, 0, 1, None) for row in site.deliveries())


async def test_after_a_removal_nothing_of_what_was_read_is_sent(path: Path) -> None:
    go = asyncio.Event()
    async with receiver(answers_after(go)) as hook, receiver() as other, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await add_deliveries(site.feedback.database, endpoint, 0, 100)
        site.deliverer.due({endpoint.id})
        await hook.until(8)
        await site.endpoints.remove(endpoint)
        go.set()
        await site.add(other.url)
        await site.send(0, 3)
        await other.until(3)
        assert len(hook.received) == 8


async def test_what_is_sent_again_during_its_last_attempt_is_not_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_DELAYS", (0.0,))
    answers = asyncio.Semaphore(0)

    async def answer(_request: web.Request) -> web.Response:
        await answers.acquire()
        return web.Response(status=500)

    async with receiver(answer) as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.send(0, 1)
        await hook.until(1)
        answers.release()
        await hook.until(2)  # the last one
        assert await site.endpoints.resend(endpoint, 0, None, delivered=False) == 1
        site.deliverer.due({endpoint.id})
        answers.release()
        await hook.until(3)
        answers.release()
        await hook.until(4)
        answers.release()
        await until(lambda: [row[2:5] for row in site.deliveries()] == [(2, 0, 0)])


async def test_each_is_handed_out_once_until_it_is_released(path: Path) -> None:
    async with webhooks(path) as site:
        due = await due_deliveries_of(site, 200)
        await due.read(8)
        first = taken(due)
        await due.read(8)
        assert [*first, *taken(due)] == [f"evt_{number}" for number in range(200)]
        assert await due.read(8) == 60
        due.announce()
        await due.read(8)
        assert taken(due) == []
        due.put_back(7)
        assert due.wanting(8)
        await due.read(8)
        assert taken(due) == ["evt_6"]


async def test_what_was_read_a_while_ago_is_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been erased meanwhile."""
    async with webhooks(path) as site:
        due = await due_deliveries_of(site, 3)
        await due.read(8)
        async with site.feedback.database.transaction() as connection:
            await connection.execute("DELETE FROM webhook_deliveries WHERE event_id = 'evt_1'")
        monkeypatch.setattr(due_deliveries, "_STALE", -1)
        assert taken(due) == []
        monkeypatch.undo()
        await due.read(8)
        assert taken(due) == ["evt_0", "evt_2"]


async def test_what_is_announced_or_released_during_a_read_is_not_forgotten(path: Path) -> None:
    async with webhooks(path) as site:
        due = await due_deliveries_of(site, 1)
        reading = asyncio.create_task(due.read(8))
        await asyncio.sleep(0)  # it has begun
        due.announce()
        await reading
        assert due.wanting(8)
        reading = asyncio.create_task(due.read(8))
        await asyncio.sleep(0)
        due.release(1, time.time() + 20)
        assert 15 < await reading <= 21


async def test_it_says_when_something_else_is_due(path: Path) -> None:
    async with webhooks(path) as site:
        due = await due_deliveries_of(site, 2)
        async with site.feedback.database.transaction() as connection:
            await connection.execute("UPDATE webhook_deliveries SET next_at = ? WHERE id = 2", (time.time() + 30,))
        assert 25 < await due.read(8) <= 31
        assert taken(due) == ["evt_0"]
        due.release(1, time.time())
        assert due.wanting(8)


async def test_the_answer_for_an_erased_delivery_says_nothing_of_the_one_that_has_its_id_now(path: Path) -> None:
    go = asyncio.Event()
    async with receiver(answers_after(go)) as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await add_deliveries(site.feedback.database, endpoint, 0, 1)
        site.deliverer.due({endpoint.id})
        await hook.until(1)
        [(erased, *_)] = await site.feedback.database.fetch("SELECT id FROM webhook_deliveries")
        async with site.feedback.database.transaction() as connection:
            await connection.execute("DELETE FROM webhook_deliveries")
        await add_deliveries(site.feedback.database, endpoint, 1, 1)
        assert [row[0] for row in await site.feedback.database.fetch("SELECT id FROM webhook_deliveries")] == [erased]
        go.set()
        site.deliverer.due({endpoint.id})
        await hook.until(2)
        await until(lambda: all(row[2:] == (1, 0, 1, None) for row in site.deliveries()))
    assert [each.headers["webhook-id"] for each in hook.received] == ["evt_0", "evt_1"]
