"""Events out under kills: each is in the stream once, and a subscriber that has nothing else knows what the tables know."""

import os
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from tests.waiting import PATIENCE, until

MAILS = int(os.environ.get("EVENTS_MAILS", "150"))
KILLS = int(os.environ.get("EVENTS_KILLS", "3"))
RATE = int(os.environ.get("EVENTS_RATE", "200"))
_STREAM = "messages-events"
_TYPE_BY_STATUS = {2: "sent", 3: "failed", 4: "stopped"}
_TYPE_BY_RESULT = {"Delivery": "delivered", "Bounce": "bounced", "Complaint": "complained"}


@dataclass
class EventsHarness:
    """What is killed, and what stays."""

    nats: NatsServer
    sandbox: SandboxTask
    publisher: JetStreamPublisher
    processes: list[Daemon]
    database: Path

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
            "EVENTS_OUT": "nats",
            "BOUNCE_STOP": "0",  # every tenth mail bounces, and every tenth recipient complains
            "COMPLAINT_STOP": "0",
        }
        publisher = await JetStreamPublisher.connect(server.url)
        async with _processes(directory, kind, variables, port) as (processes, database):
            yield EventsHarness(server, sandbox, publisher, processes, database)
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
    """Most are delivered, some bounce or are complained about, some can't be sent."""
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


@pytest.mark.parametrize("kind", ["run", "roles"])
async def test_each_event_once_whatever_is_killed(tmp_path: Path, kind: str) -> None:
    chance = random.Random(16)
    async with open_harness(tmp_path, kind) as harness:
        await harness.publisher.publish(map(_mail, range(MAILS)))
        for kill in range(KILLS):
            share = MAILS // (KILLS + 1)
            count = share * kill + chance.randrange(share)
            answer = await harness.sandbox.get("/messages/wait", count=count, timeout=PATIENCE)
            assert answer["reached"], answer
            if kill % 3 == 2:
                await harness.nats.kill()
                await harness.nats.restart()
            else:
                victim = chance.choice(harness.processes)
                await victim.kill()
                await victim.start_again()
        await emptied(harness.publisher)
        # With separate roles, the tables follow what the worker has settled.
        finished = "SELECT count(*) FROM email_requests WHERE status >= 2"
        await until(lambda: harness.rows(finished) == [(MAILS,)])
        await harness.sandbox.get("/sandbox/events/wait", pending=0, timeout=PATIENCE)
        await until(lambda: harness.rows("SELECT count(*) FROM unmatched_events") == [(0,)])
        await until(lambda: harness.rows("SELECT count(*) FROM outbox WHERE type <> ''") == [(0,)])
        events = await _events(harness.nats.url)
        mails = dict(harness.rows("SELECT uuid, status FROM email_requests"))
        results = harness.rows(
            "SELECT uuid, result.status, recipient FROM email_results AS result"
            " JOIN email_requests AS mail ON mail.id = request_id WHERE result.status <> 'Send'"
        )
    assert len(mails) == MAILS
    assert [name for name, _ in events] == [event["id"] for _, event in events]
    assert len({name for name, _ in events}) == len(events)
    assert [event["seq"] for _, event in events] == sorted(event["seq"] for _, event in events)
    last = {event["uuid"]: event["type"] for _, event in events if event["type"] in _TYPE_BY_STATUS.values()}
    assert last == {uuid: _TYPE_BY_STATUS[status] for uuid, status in mails.items()}
    reported = Counter(
        (event["uuid"], event["type"], event["recipients"][0])
        for _, event in events
        if event["type"] in _TYPE_BY_RESULT.values()
    )
    assert reported == Counter((uuid, _TYPE_BY_RESULT[status], recipient) for uuid, status, recipient in results)
    assert {kind for _, kind, _ in reported} == set(_TYPE_BY_RESULT.values())
