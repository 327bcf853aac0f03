"""An erasure reaches events and dead letters in their streams, some at a time, and goes on after a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgpack
import orjson
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from email_consumer.jetstream.api import ask
from email_consumer.runtime.tasks import end
from email_consumer.sources.jetstream.stream_erasure import StreamErasure, names
from email_consumer.store.database import Database, open_database
from email_consumer.store.erasure import erase
from tests.integration.outbox.harness import STREAM, recording
from tests.integration.store.mails import rows
from tests.waiting import until

_DEAD = "messages-dead"
_JANE = "jane@example.com"


async def _settled() -> None: ...


def _service(database: Database, client: Client, page: int = 500) -> StreamErasure:
    @asynccontextmanager
    async def connection() -> AsyncIterator[Client]:
        yield client

    return StreamErasure(database, connection, _settled, page=page)


async def _run(database: Database, client: Client) -> None:
    """Until nothing is left to do."""
    running = asyncio.create_task(_service(database, client).run())
    await _done(database)
    await end(running)


async def _done(database: Database) -> None:
    async def nothing_left() -> bool:
        return not await rows(database, "SELECT id FROM stream_erasures")

    await until(nothing_left)


async def _fill(client: Client, *payloads: bytes, stream: str = _DEAD, **headers: str) -> None:
    await client.jetstream().add_stream(name=stream, subjects=[f"{stream}.>"])
    for payload in payloads:
        await client.jetstream().publish(f"{stream}.rejected", payload, headers=headers or None)


async def _left(client: Client, stream: str = _DEAD) -> int:
    count: int = (await ask(client, f"STREAM.INFO.{stream}"))["state"]["messages"]
    return count


async def test_events_that_name_the_address_are_deleted_and_the_rest_goes_on(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        for number, name in enumerate(("Jane", "joe", "JANE", "mary.jane", "joe")):
            await outbox.harness.send(f"u-{number}", f"ses-{number}", email=f"{name}@example.com")
        await outbox.publish_all()
        await erase(outbox.harness.database, _JANE, [STREAM, "messages-other"])
        await _run(outbox.harness.database, client)
        await outbox.harness.send("u-5", "ses-5", email="joe@example.com")
        await outbox.publish_all()
    info = await ask(client, f"STREAM.INFO.{STREAM}", {"deleted_details": True})
    assert info["state"]["deleted"] == [3]  # the first one is not in between
    assert info["state"]["first_seq"] == 2
    left = [2, 4, 5, 6]
    found = [orjson.loads((await client.jetstream().get_msg(STREAM, number)).data or b"") for number in left]
    assert [event["uuid"] for event in found] == ["u-1", "u-3", "u-4", "u-5"]


@pytest.mark.parametrize(
    "payload",
    [
        msgpack.packb({"uuid": "u", "email": "Jane <jane@example.com>"}),
        msgpack.packb(["u", "jane@EXAMPLE.com", "s", "b"]),
        b'{"email": "jane@example.com"}',
        b'{"email": "\\u006aane@example.com"}',
        b'{"email": "joe@example.com", "body": "<a href=\'https://x/?to=jane%40example.com\'>"}',
        b"gqR1dWlkoXWlZW1haWywamFuZUBleGFtcGxlLmNvbQ==",
        b"\xff jane@example.com",
    ],
)
async def test_dead_letters_in_all_forms(path: Path, client: Client, payload: bytes) -> None:
    await _fill(client, payload, b'{"email": "joe@example.com"}')
    async with open_database(path) as database:
        await erase(database, _JANE, [_DEAD])
        await _run(database, client)
    assert (await ask(client, f"STREAM.INFO.{_DEAD}"))["state"]["first_seq"] == 2


async def test_an_address_in_a_header(path: Path, client: Client) -> None:
    await _fill(client, b"{}", **{"Email-Reason": "jane@example.com is not verified"})
    async with open_database(path) as database:
        await erase(database, _JANE, [_DEAD])
        await _run(database, client)
    assert await _left(client) == 0


async def test_it_goes_on_where_the_last_process_was(
    path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _fill(client, *[b'{"email": "jane@example.com"}', b'{"email": "joe@example.com"}'] * 20)
    looked_at: list[int] = []

    def watched(message: Msg, address: str) -> bool:
        looked_at.append(message.metadata.sequence.stream)
        if looked_at[-1] == 22 and looked_at[0] == 1:
            raise TimeoutError
        return names(message, address)

    monkeypatch.setattr("email_consumer.sources.jetstream.stream_erasure.names", watched)
    async with open_database(path) as database:
        await erase(database, _JANE, [_DEAD])
        running = asyncio.create_task(_service(database, client, page=4).run())
        await until(lambda: len(looked_at) == 22)
        await end(running)
        assert await rows(database, "SELECT after, deleted FROM stream_erasures") == [(20, 10)]
    looked_at.clear()
    async with open_database(path) as database:
        await _run(database, client)
    assert looked_at[0] in {21, 22}  # the message 21 may be gone already
    assert await _left(client) == 20


async def test_it_tries_again_while_there_is_no_connection(path: Path, client: Client) -> None:
    await _fill(client, b'{"email": "jane@example.com"}')
    refusals = [TimeoutError(), TimeoutError()]

    @asynccontextmanager
    async def connection() -> AsyncIterator[Client]:
        if refusals:
            raise refusals.pop()
        yield client

    async with open_database(path) as database:
        service = StreamErasure(database, connection, _settled, retry=0.0)
        running = asyncio.create_task(service.run())
        await erase(database, _JANE, [_DEAD])
        service.wake()
        await until(lambda: not refusals)
        await _done(database)
        await end(running)
    assert await _left(client) == 0
