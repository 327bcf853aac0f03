"""Each event reaches each endpoint that wants it, signed, at least once; nobody waits for an endpoint that fails."""

import asyncio
import gzip
import shutil
import time
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from email_consumer.store.erasure import erase
from email_consumer.suppression.suppression import Reason
from email_consumer.webhooks import schedule
from tests.integration.webhooks.harness import Receiver, receiver, webhooks
from tests.waiting import until


async def test_an_endpoint_gets_what_it_wants(path: Path) -> None:
    async with receiver() as all_of_it, receiver() as news, receiver() as stopped, webhooks(path) as site:
        await site.add(all_of_it.url)
        await site.add(news.url, topics=frozenset({"news"}), types=frozenset({"sent"}))
        await site.add(stopped.url, types=frozenset({"stopped"}))
        await site.send(0, 2, topic_id="news")
        await site.send(2, 2, topic_id="other")
        await all_of_it.until(4)
        await news.until(2)
        await until(lambda: all(row[4] for row in site.deliveries()))
    assert sorted(all_of_it.uuids) == ["u-0", "u-1", "u-2", "u-3"]
    assert sorted(news.uuids) == ["u-0", "u-1"]
    assert stopped.received == []


async def test_after_a_rotation_both_secrets_verify(path: Path) -> None:
    async with receiver() as hook, webhooks(path) as site:
        before = await site.add(hook.url)
        after = await site.endpoints.rotate(before)
        assert after.secret != before.secret
        await site.send(0, 1)
        [got] = await hook.until(1)
    for secret in (before.secret, after.secret):
        Webhook(secret).verify(got.body, dict(got.headers))


async def test_a_failure_is_retried_and_a_success_ends_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_DELAYS", (0.0, 0.0, 0.0))
    answers = [500, 302, 429, 200]

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0), headers={"Location": "/elsewhere", "Retry-After": "0"})

    async with receiver(answer) as hook, webhooks(path) as site:
        await site.add(hook.url)
        await site.send(0, 1)
        await hook.until(4)
        await until(lambda: [row[2:] for row in site.deliveries()] == [(4, 0, 1, None)])
        await until(lambda: [each.failing_since for each in site.endpoints.all] == [None])
    assert len({each.headers["webhook-id"] for each in hook.received}) == 1


async def test_what_fails_every_time_is_given_up_and_can_be_sent_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_DELAYS", (0.0, 0.0))

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=503, text="x" * 10_000)

    async with receiver(answer) as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.send(0, 1)
        await until(lambda: [row[2:5] for row in site.deliveries()] == [(3, 0, 0)])
        assert len(site.deliveries()[0][5]) <= 300
        await until(lambda: site.endpoints.all[0].failing_since)
        assert len(hook.received) == 3
        assert endpoint.disabled_at is None
        assert site.metrics.webhook_attempts == {"failed": 3}
        assert site.metrics.events_dropped["webhook"] == 1
        assert await site.endpoints.resend(endpoint, 0, None, delivered=False) == 1
        site.deliverer.due({endpoint.id})
        await hook.until(4)


async def test_gone_means_gone(path: Path) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=410)

    async with receiver(answer) as hook, webhooks(path) as site:
        await site.add(hook.url)
        await site.send(0, 1)
        await until(lambda: site.endpoints.all[0].disabled_at)
        assert site.endpoints.all[0].disabled_reason == "it answered 410 Gone"
        await site.send(1, 3)
        await until(lambda: len(site.deliveries()) == 4)
        assert len(hook.received) == 1
        await site.endpoints.enable(site.endpoints.all[0])
        await hook.until(2)


async def test_who_takes_nothing_for_five_days_is_disabled(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_DELAYS", (0.0, 0.0))

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    async with receiver(answer) as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.endpoints.fails(endpoint, time.time() - schedule.DISABLED_AFTER - 1, "500")
        await site.send(0, 1)
        await until(lambda: site.metrics.webhooks_disabled)
    assert "5 days" in (site.endpoints.all[0].disabled_reason or "")


async def test_an_endpoint_that_hangs_delays_no_other_and_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with receiver(answer) as slow, receiver() as hook, webhooks(path) as site:
        await site.add(slow.url)
        await site.add(hook.url)
        await site.send(0, 50)
        await hook.until(50)
        assert 1 <= len(slow.received) <= 8
        monkeypatch.setattr("email_consumer.webhooks.sender.TIMEOUT", 0.2)
        last = await site.add(slow.url)
        answered = await site.sender.send(last, "evt_1", "{}")
        never.set()
    assert answered.error == "no answer within 0.2 s"


async def test_an_endpoint_that_fails_is_tried_by_one_request_at_a_time(path: Path) -> None:
    under_way, most, working = 0, 0, False
    answers = asyncio.Semaphore(0)

    async def answer(_request: web.Request) -> web.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if not working:
            await answers.acquire()
        under_way -= 1
        return web.Response(status=200 if working else 500)

    async with receiver(answer) as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.endpoints.fails(endpoint, time.time(), "no answer")
        await site.send(0, 20)
        for number in range(5):
            await hook.until(number + 1)
            answers.release()
        await hook.until(6)
        assert most == 1
        working = True
        answers.release()
        await hook.until(20)
        await until(lambda: site.endpoints.all[0].failing_since is None)


async def test_a_removed_endpoint_gets_nothing_more(path: Path) -> None:
    async with receiver() as hook, receiver() as other, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.add(other.url)
        await site.send(0, 3)
        await hook.until(3)
        await site.endpoints.remove(endpoint)
        await site.send(3, 3)
        await other.until(6)
        assert len(hook.received) == 3
        assert {row[0] for row in site.deliveries()} == {each.id for each in site.endpoints.all}


async def test_a_process_that_dies_loses_no_event(path: Path) -> None:
    """Nor does a receiver that is away for a while."""
    async with receiver() as hook:
        for life in range(6):
            async with webhooks(path) as site:
                if life == 0:
                    await site.add(hook.url)
                await site.send(10 * life, 10)
                await hook.until(10 * life + 1)
        async with webhooks(path) as site:
            await until(lambda: len(set(hook.uuids)) == 60)
            await until(lambda: all(row[4] for row in site.deliveries()))
            assert len(site.deliveries()) == 60
            assert len({row[1] for row in site.deliveries()}) == 60


async def test_a_restored_file_gives_no_id_twice(path: Path, tmp_path: Path) -> None:
    async with receiver() as hook:
        async with webhooks(path) as site:
            await site.add(hook.url)
            await site.send(0, 2)
            await hook.until(2)
            await until(lambda: all(row[4] for row in site.deliveries()))
        shutil.copy(path, tmp_path / "backup.db")
        async with webhooks(path) as site:
            await site.send(2, 2)
            await hook.until(4)
        async with webhooks(tmp_path / "backup.db") as site:
            await site.send(4, 2)
            await hook.until(6)
    assert len({each.event["id"] for each in hook.received}) == len(set(hook.uuids)) == 6


async def test_an_answer_is_not_decompressed(path: Path) -> None:
    bomb = gzip.compress(b"x" * 10_000_000)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=500, body=bomb, headers={"Content-Encoding": "gzip"})

    async with receiver(answer) as hook, webhooks(path) as site:
        answered = await site.sender.send(await site.add(hook.url), "evt_1", "{}")
    assert "xxxx" not in answered.error


async def test_an_erasure_reaches_deliveries_and_what_becomes_one(path: Path) -> None:
    async with receiver() as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        await site.endpoints.disable(endpoint, "test")
        await site.send(0, 1)
        await until(lambda: len(site.deliveries()) == 1)
        await site.send(1, 1)
        await site.feedback.suppressions.add("jane@example.com", Reason.UNSUBSCRIBED, "", "recipient")
        await erase(site.feedback.database, "jane@example.com")
        await site.send(2, 1, email="joe@example.com")
        await until(lambda: "u-2" in str(site.feedback.rows("SELECT body FROM webhook_deliveries")))
        assert "jane" not in str(site.feedback.rows("SELECT body FROM webhook_deliveries")).lower()


async def test_a_flood_is_delivered_to_all_in_bounded_numbers_at_once(path: Path) -> None:
    under_way = dict[str, int]()
    most = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal most
        under_way[request.path] = under_way.get(request.path, 0) + 1
        most = max(most, under_way[request.path])
        await asyncio.sleep(0)
        under_way[request.path] -= 1
        return web.Response()

    async with receiver(answer) as hook, webhooks(path) as site:
        for number in range(3):
            await site.add(hook.url.replace("hook", f"hook{number}"))
        await site.send(0, 200)
        await hook.until(600)
        await until(lambda: all(row[4] for row in site.deliveries()))
    assert most <= 8


async def test_it_has_a_test(path: Path) -> None:
    async with receiver() as hook, webhooks(path) as site:
        endpoint = await site.add(hook.url)
        found = await site.sender.send(endpoint, "evt_test", "{}")
        assert not found.error
        assert isinstance(hook, Receiver)
    async with webhooks(path) as site:
        assert "ClientConnector" in (await site.sender.send(endpoint, "evt_test", "{}")).error
