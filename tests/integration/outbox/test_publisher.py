"""Each event stands once in the stream, in the order of the commits, whatever dies in between."""

import asyncio
import random
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import nats
import orjson
import pytest
from nats.aio.client import Client

import email_consumer.outbox.outbox as outbox_module
import email_consumer.outbox.publisher as publisher_module
from email_consumer.core.metrics import Metrics
from email_consumer.jetstream.api import ask
from email_consumer.jetstream.publisher import Publisher, Stored
from email_consumer.outbox.outbox import Outbox
from email_consumer.outbox.publisher import EventPublisher
from email_consumer.runtime.tasks import end
from email_consumer.store.erasure import erase
from email_consumer.suppression.suppression import Reason
from tests.integration.feedback.harness import open_harness
from tests.integration.outbox.harness import ORIGIN, STREAM, Recorder, recording, stored
from tests.servers.nats import NatsServer
from tests.waiting import until


async def send(outbox: Recorder, first: int, count: int) -> None:
    for number in range(first, first + count):
        await outbox.harness.send(f"u-{number}", f"ses-{number}")


async def all_of_them_once(client: Client, count: int) -> None:
    found = await stored(client)
    assert [each["uuid"] for each in found] == [f"u-{number}" for number in range(count)]
    assert len({each["id"] for each in found}) == count
    assert [each["seq"] for each in found] == sorted(each["seq"] for each in found)


async def test_the_service_publishes_after_the_commit(path: Path, client: Client) -> None:
    async with recording(path, client, publishes=True) as outbox:
        await send(outbox, 0, 20)
        await until(lambda: outbox.metrics.events_published == 20)
    await all_of_them_once(client, 20)


async def test_a_process_that_dies_anywhere_goes_on_where_the_stream_ends(path: Path, client: Client) -> None:
    dice = random.Random(7)
    for life in range(12):
        async with recording(path, client) as outbox:
            publishing = asyncio.create_task(outbox.publisher.run())
            await send(outbox, 10 * life, 10)
            for _ in range(dice.randrange(60)):
                await asyncio.sleep(0)
            await end(publishing)  # in the middle of whatever it does
    async with recording(path, client) as outbox:
        await outbox.publish_all()
    await all_of_them_once(client, 120)


async def test_a_server_that_dies_costs_nothing(path: Path, client: Client, server: NatsServer) -> None:
    async with recording(path, client, publishes=True) as outbox:
        for life in range(4):
            await send(outbox, 25 * life, 25)
            await server.kill()
            await server.restart()
        await until(lambda: outbox.harness.rows("SELECT count(*) FROM outbox WHERE type <> ''") == [(0,)])
    await all_of_them_once(client, 100)


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_a_server_acknowledged_and_lost_is_published_again(
    path: Path, client: Client, server: NatsServer, tmp_path: Path, restarted: bool
) -> None:
    """As one does that is killed between its answer and its file; `restarted`: our process, too."""
    async with recording(path, client, publishes=True, kept=100.0) as outbox:
        await send(outbox, 0, 5)
        await until(lambda: outbox.metrics.events_published == 5)
        await _forget_what_comes(
            server, tmp_path, send(outbox, 5, 5), until(lambda: outbox.metrics.events_published == 10)
        )
        if not restarted:
            await send(outbox, 10, 5)
            await until(lambda: outbox.metrics.events_published == 20)
    if restarted:
        async with recording(path, client, kept=100.0) as outbox:
            await send(outbox, 10, 5)
            await outbox.publish_all()
    await all_of_them_once(client, 15)


async def test_what_a_server_lost_is_noticed_once_it_is_back(
    path: Path, client: Client, server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "_LOOK", 0.05)
    async with recording(path, client, publishes=True, kept=100.0) as outbox:
        await send(outbox, 0, 5)
        await until(lambda: outbox.metrics.events_published == 5)
        await _forget_what_comes(
            server, tmp_path, send(outbox, 5, 5), until(lambda: outbox.metrics.events_published == 10)
        )
        await until(lambda: outbox.metrics.events_published == 15)
    await all_of_them_once(client, 10)


async def test_what_a_server_may_have_lost_is_kept_until_it_is_back(
    path: Path, client: Client, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is away for longer than events are kept that it has acknowledged."""
    monkeypatch.setattr(outbox_module, "_FORGET_EVERY", 0.01)
    async with recording(path, client, kept=0.0) as outbox:
        publishing = asyncio.create_task(outbox.publisher.run())
        await send(outbox, 0, 5)
        await until(lambda: outbox.metrics.events_published == 5)
        async with server.forgetting():
            await send(outbox, 5, 5)
            await until(lambda: outbox.metrics.events_published == 10)
            await server.kill()
            await until(lambda: not client.is_connected)
            forgetting = asyncio.create_task(outbox.outbox.run())
            for number in (10, 11):
                await send(outbox, number, 1)
                await until(lambda: outbox.metrics.events_waiting == number - 9)  # noqa: B023 - awaited at once
        await until(lambda: outbox.metrics.events_waiting == 0)
        await end(publishing, forgetting)
    await all_of_them_once(client, 12)


async def _forget_what_comes(server: NatsServer, tmp_path: Path, *happens: Awaitable[object]) -> None:
    """It is in the stream when this ends, and the server has forgotten it."""
    await server.kill()
    shutil.copytree(server.store, tmp_path / "before")
    await server.restart()
    for each in happens:
        await each
    await server.kill()
    shutil.rmtree(server.store)
    shutil.copytree(tmp_path / "before", server.store)
    await server.restart()


async def test_published_rows_are_deleted_and_numbers_go_on(path: Path, client: Client) -> None:
    async with recording(path, client, publishes=True) as outbox:
        await send(outbox, 0, 5)
        await until(lambda: outbox.harness.rows("SELECT seq, type FROM outbox") == [(5, "")])
    async with recording(path, client) as outbox:
        await send(outbox, 5, 1)
        await outbox.publish_all()
    await all_of_them_once(client, 6)


async def test_a_restored_file_gives_no_number_twice(path: Path, client: Client, tmp_path: Path) -> None:
    async with recording(path, client) as outbox:
        await send(outbox, 0, 3)
        await outbox.publish_all()
    shutil.copy(path, tmp_path / "backup.db")
    async with recording(path, client) as outbox:
        await send(outbox, 3, 4)
        await outbox.publish_all()
    async with recording(tmp_path / "backup.db", client) as outbox:
        await send(outbox, 7, 2)
        await outbox.publish_all()
    found = await stored(client)
    assert [each["uuid"] for each in found] == [f"u-{number}" for number in range(9)]
    assert len({each["id"] for each in found}) == 9


async def test_the_number_of_an_erased_event_is_not_given_again(path: Path, client: Client) -> None:
    """The next event would be taken for one that was published."""
    async with recording(path, client) as outbox:
        await outbox.harness.suppressions.add("joe@example.com", Reason.UNSUBSCRIBED, "", "recipient")
        await outbox.publish_all()
        await erase(outbox.harness.database, "joe@example.com")
        await send(outbox, 0, 1)
        await outbox.publish_all()
    assert [(each["type"], each["seq"]) for each in await stored(client)] == [("unsubscribed", 1), ("sent", 2)]


async def test_what_was_under_way_when_the_service_ended_does_not_keep_the_rest(
    path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def send_and_say_so(*message: Any) -> "asyncio.Future[Stored]":
        future = await Publisher.send(outbox.publisher._publisher, *message)
        begun.set()
        return future

    async with recording(path, client) as outbox:
        await send(outbox, 0, 20)
        monkeypatch.setattr(outbox.publisher._publisher, "send", send_and_say_so)
        publishing = asyncio.create_task(outbox.publisher.run())
        await begun.wait()
        await end(publishing)
        await outbox.publisher.flush()
    await all_of_them_once(client, 20)


async def test_how_many_wait_is_known(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        counting = asyncio.create_task(outbox.outbox.run())
        await send(outbox, 0, 3)
        await until(lambda: outbox.metrics.events_waiting == 3)
        await outbox.publish_all()
        await until(lambda: outbox.metrics.events_waiting == 0)
        await end(counting)


async def test_a_stream_that_was_purged_or_deleted_is_filled_with_what_comes(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await send(outbox, 0, 3)
        await outbox.publish_all()
        await ask(client, f"STREAM.PURGE.{STREAM}")
        await send(outbox, 3, 2)
        await outbox.publish_all()
        assert [each["uuid"] for each in await stored(client)] == ["u-3", "u-4"]
        await ask(client, f"STREAM.DELETE.{STREAM}")
        publishing = asyncio.create_task(outbox.publisher.run())
        await send(outbox, 5, 2)
        await until(lambda: outbox.metrics.events_published == 7)
        await end(publishing)
    assert [each["uuid"] for each in await stored(client)] == ["u-5", "u-6"]


async def test_what_somebody_else_publishes_there_stops_nothing(path: Path, client: Client) -> None:
    junk = [b"", b"[]", b"{}", b'{"seq": "x"}', orjson.dumps({"seq": 10**9, "id": "evt_9"}), b"\xff", b'{"seq": 1e999}']
    async with recording(path, client, publishes=True) as outbox:
        for number, payload in enumerate(junk):
            await client.jetstream().publish(f"{STREAM}.{('sent', 'odd.kind')[number % 2]}", payload)
            await send(outbox, number, 1)
            await until(lambda: outbox.metrics.events_published == number + 1)  # noqa: B023 - awaited at once
    messages = [await client.jetstream().get_msg(STREAM, 1 + number) for number in range(2 * len(junk))]
    ours = [orjson.loads(message.data or b"") for message in messages if "Nats-Msg-Id" in (message.headers or {})]
    assert [each["uuid"] for each in ours] == [f"u-{number}" for number in range(len(junk))]


async def test_of_two_that_publish_neither_repeats_the_other(path: Path, client: Client) -> None:
    """A process that was stopped and wakes up after another has taken over."""
    async with recording(path, client) as outbox:
        await send(outbox, 0, 5)
        await outbox.publish_all()
        mine = outbox.publisher
        other = EventPublisher(
            Outbox(outbox.harness.database, ORIGIN, Metrics()), mine._publisher, mine._stream, Metrics()
        )
        await other.prepare()
        await send(outbox, 5, 5)
        mine._cursor.written.set()
        other._cursor.written.set()
        answers = await asyncio.gather(outbox.publisher.flush(), other.flush(), return_exceptions=True)
        assert any(not isinstance(answer, Exception) for answer in answers)
        await outbox.publish_all()
    await all_of_them_once(client, 10)


async def test_where_nobody_wants_events_nothing_is_written(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        assert harness.rows("SELECT * FROM outbox") == []


async def test_two_databases_have_different_ids(path: Path, client: Client, tmp_path: Path) -> None:
    for file, origin in ((path, "a" * 32), (tmp_path / "other.db", "b" * 32)):
        async with recording(file, client, origin) as outbox:
            await send(outbox, 0, 2)
            await outbox.publish_all()
    found = await stored(client)
    assert len({each["id"] for each in found}) == 4


async def test_an_event_too_large_for_the_stream_is_logged_and_the_rest_goes_on(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        info = await ask(client, f"STREAM.INFO.{STREAM}")
        await ask(client, f"STREAM.UPDATE.{STREAM}", info["config"] | {"max_msg_size": 600})
        await send(outbox, 0, 1)
        await outbox.harness.send("u-large", topic_id="t" * 200, message_id="m" * 300)
        await send(outbox, 1, 1)
        await outbox.publish_all()
    await all_of_them_once(client, 2)


async def test_a_client_without_a_server_waits(path: Path, server: NatsServer) -> None:
    client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
    async with recording(path, client, publishes=True) as outbox:
        await server.kill()
        await send(outbox, 0, 3)
        await server.restart()
        await until(lambda: outbox.metrics.events_published == 3)
    await all_of_them_once(client, 3)
    await client.close()
