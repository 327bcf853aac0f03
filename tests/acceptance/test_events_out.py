"""Events out under kills: each is in the stream once, the stream alone tells what the tables know, webhooks miss none."""

import os
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import nats
import orjson
import pytest

from ses_sandbox.testing import SandboxTask
from tests.acceptance.feedback_loop import sandbox_with_events, variables_for
from tests.acceptance.publisher import JetStreamPublisher, as_map, emptied
from tests.servers.daemon import Daemon
from tests.servers.fleet import Fleet
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.servers.webhook_receiver import WebhookReceiver
from tests.waiting import PATIENCE, until

MAILS = int(os.environ.get("EVENTS_MAILS", "150"))
KILLS = int(os.environ.get("EVENTS_KILLS", "3"))
RATE = int(os.environ.get("EVENTS_RATE", "200"))
_STREAM = "messages-events"
_KEY = "events-out"
_LIVING, _REMOVED = "/living", "/removed"
"""Paths of the webhook receiver's endpoints; the second is removed in the middle."""
_TYPE_BY_STATUS = {2: "sent", 3: "failed", 4: "stopped"}
_TYPE_BY_RESULT = {"Delivery": "delivered", "Bounce": "bounced", "Complaint": "complained", "Open": "opened"}
_OPENED = "SELECT uuid FROM email_results AS r JOIN email_requests AS m ON m.id = request_id WHERE r.status = 'Open'"
_PIXEL = re.compile(r"/v1/events/open\?request_id=[\w.~-]+")


@dataclass
class EventsHarness:
    """What is killed, and what stays."""

    nats: NatsServer
    sandbox: SandboxTask
    publisher: JetStreamPublisher
    processes: list[Daemon]
    database: Path
    receiver: WebhookReceiver
    site: aiohttp.ClientSession
    """The program's API."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()


@asynccontextmanager
async def open_harness(directory: Path, kind: str) -> AsyncIterator[EventsHarness]:
    [port] = free_ports(1)
    sandbox = sandbox_with_events(directory, port)
    async with NatsServer(directory / "nats") as server, sandbox:
        variables = await variables_for(directory, server, sandbox) | {
            "SES_RATE_PER_SEC": str(RATE),
            "ACK_WAIT": "2",
            "CLAIM_LEASE": "4",
            "IN_DOUBT_GRACE": "20",  # what is killed in the middle waits as long for its event
            "EVENTS_OUT": "nats,webhooks",
            "WEBHOOK_ALLOW_PRIVATE": "true",
            "API_KEY": _KEY,
            "TRACK_OPENS": "all",
            "BOUNCE_STOP": "0",  # every tenth mail bounces, and every tenth recipient complains
            "COMPLAINT_STOP": "0",
        }
        publisher = await JetStreamPublisher.connect(server.url)
        async with (
            _processes(directory, kind, variables, port) as (processes, database),
            WebhookReceiver(directory) as receiver,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers={"X-API-KEY": _KEY}) as site,
        ):
            yield EventsHarness(server, sandbox, publisher, processes, database, receiver, site)
        await publisher.close()


@asynccontextmanager
async def _processes(
    directory: Path, kind: str, variables: Mapping[str, str], port: int
) -> AsyncIterator[tuple[list[Daemon], Path]]:
    if kind == "run":
        async with Daemon(directory / "daemon", {**variables, "SERVER_PORT": str(port)}) as daemon:
            yield [daemon], directory / "daemon" / "data" / "email.db"
    else:
        async with Fleet(directory, variables, port=port, workers=1) as fleet:
            yield [fleet.sidecar, *fleet.workers], fleet.database


def _mail(number: int) -> bytes:
    """Most are delivered, some bounce or are complained about."""
    name = {0: "bounce", 1: "complaint"}.get(number % 10, "success")
    fields = {"topic_id": "t", "email": f"{name}+{number}@simulator.amazonses.com"}
    return as_map(f"u-{number}", **fields)


async def _events(url: str) -> list[tuple[str, dict[str, Any]]]:
    """All of the stream, with their message ids, as a subscriber gets them."""
    client = await nats.connect(url)
    jetstream = client.jetstream()
    found: list[tuple[str, dict[str, Any]]] = []
    left = (await jetstream.stream_info(_STREAM)).state.messages
    subscription = await jetstream.subscribe(f"{_STREAM}.>", ordered_consumer=True)
    while len(found) < left:
        message = await subscription.next_msg(timeout=PATIENCE)
        found.append(((message.headers or {})["Nats-Msg-Id"], orjson.loads(message.data)))
    await client.close()
    return found


async def _add_endpoints(harness: EventsHarness) -> dict[str, str]:
    """Their ids by path; then the receiver listens."""
    ids, secrets = {}, {}
    for path in (_LIVING, _REMOVED):
        async with harness.site.post("/v1/webhooks", json={"url": harness.receiver.url(path)}) as answer:
            assert answer.ok, await answer.text()
            endpoint = await answer.json()
        ids[path], secrets[path] = endpoint["id"], endpoint["secret"]
    await harness.receiver.start(secrets)
    return ids


async def _kill_again_and_again(harness: EventsHarness, removed: str) -> float:
    """Returns the Unix time at which the removal of that endpoint was answered."""
    chance = random.Random(16)
    answered_at = 0.0
    await until(lambda: {receipt.path for receipt in harness.receiver.receipts()} == {_LIVING, _REMOVED})
    for kill in range(KILLS):
        share = MAILS // (KILLS + 1)
        count = share * kill + chance.randrange(share)
        answer = await harness.sandbox.get("/messages/wait", count=count, timeout=PATIENCE)
        assert answer["reached"], answer
        await _open_some(harness, max(0, count - 3))
        if kill == KILLS // 2:
            async with harness.site.delete(f"/v1/webhooks/{removed}") as response:
                assert response.ok, await response.text()
            answered_at = time.time()
        # Away from one kill to the next: killed, there again, hanging, there again.
        if kill % 2:
            await harness.receiver.come_back()
        elif kill % 4:
            harness.receiver.stop()
        else:
            await harness.receiver.kill()
        if kill % 3 == 2:
            await harness.nats.kill()
            await harness.nats.restart()
        else:
            victim = chance.choice(harness.processes)
            await victim.kill()
            await victim.start_again()
    await harness.receiver.come_back()
    return answered_at


async def _open_some(harness: EventsHarness, first: int) -> set[str]:
    """Three mails, as their readers' programs do; their UUIDs. An open that a kill follows may be lost."""
    found = await harness.sandbox.get("/messages", offset=first, limit=3)
    for mail in found["messages"]:
        pixel = _PIXEL.search(str(await harness.sandbox.get(f"/messages/{mail['id']}")))
        assert pixel
        async with harness.site.get(pixel[0]) as response:
            assert response.ok
    return {mail["uuid"] for mail in found["messages"]}


async def _published(harness: EventsHarness) -> None:
    """Until the stream has all events; its sequences are their numbers."""
    client = await nats.connect(harness.nats.url)

    async def last_is_there() -> bool:
        stream = await client.jetstream().stream_info(_STREAM)
        return harness.rows("SELECT max(seq) FROM outbox") == [(stream.state.last_seq,)]

    await until(last_is_there)
    await client.close()


async def _delivered(harness: EventsHarness, endpoint: str) -> None:
    """Until the endpoint has had all; what failed is sent again now rather than in some minutes."""

    async def waiting() -> int:
        async with harness.site.get(f"/v1/webhooks/{endpoint}") as answer:
            return int((await answer.json())["waiting"])

    async def fewer_wait() -> bool:
        return await waiting() < left

    async with harness.site.post(f"/v1/webhooks/{endpoint}/resend", json={}) as answer:
        assert answer.ok, await answer.text()
    while left := await waiting():
        await until(fewer_wait)


@pytest.mark.parametrize("kind", ["run", "roles"])
async def test_each_event_once_whatever_is_killed(tmp_path: Path, kind: str) -> None:
    async with open_harness(tmp_path, kind) as harness:
        endpoints = await _add_endpoints(harness)
        await harness.publisher.publish(map(_mail, range(MAILS)))
        removal_answered_at = await _kill_again_and_again(harness, endpoints[_REMOVED])
        await emptied(harness.publisher)
        # With separate roles, the tables follow what the worker has settled.
        finished = "SELECT count(*) FROM email_requests WHERE status >= 2"
        await until(lambda: harness.rows(finished) == [(MAILS,)])
        last = await _open_some(harness, MAILS - 3)  # recorded after all others
        await until(lambda: last <= {uuid for (uuid,) in harness.rows(_OPENED)})
        await harness.sandbox.get("/sandbox/events/wait", pending=0, timeout=PATIENCE)
        await until(lambda: harness.rows("SELECT count(*) FROM unmatched_events") == [(0,)])
        await _published(harness)
        await _delivered(harness, endpoints[_LIVING])
        events = await _events(harness.nats.url)
        receipts = harness.receiver.receipts()
        mails = dict(harness.rows("SELECT uuid, status FROM email_requests"))
        results = harness.rows(
            "SELECT uuid, result.status, recipient FROM email_results AS result"
            " JOIN email_requests AS mail ON mail.id = request_id WHERE result.status <> 'Send'"
        )
    assert len(mails) == MAILS
    assert [name for name, _ in events] == [event["id"] for _, event in events]
    assert len({name for name, _ in events}) == len(events)
    assert [event["seq"] for _, event in events] == sorted(event["seq"] for _, event in events)
    outcomes = {event["uuid"]: event["type"] for _, event in events if event["type"] in _TYPE_BY_STATUS.values()}
    assert outcomes == {uuid: _TYPE_BY_STATUS[status] for uuid, status in mails.items()}
    reported = Counter(
        (event["uuid"], event["type"], event["recipients"][0])
        for _, event in events
        if event["type"] in _TYPE_BY_RESULT.values()
    )
    assert reported == Counter((uuid, _TYPE_BY_RESULT[status], recipient) for uuid, status, recipient in results)
    assert {kind for _, kind, _ in reported} == set(_TYPE_BY_RESULT.values())
    assert all(receipt.verified for receipt in receipts)
    assert {receipt.id for receipt in receipts if receipt.path == _LIVING} == {name for name, _ in events}
    at_removed = [receipt.sent_at for receipt in receipts if receipt.path == _REMOVED]
    assert at_removed
    assert max(at_removed) <= removal_answered_at  # whole seconds
