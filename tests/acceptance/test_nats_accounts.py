"""`deploy/nats-accounts.conf` lets the product and a publisher do all they need, and the publisher nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import orjson
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig

from tests.acceptance.feedback_loop import sandbox_with_events, variables_for
from tests.acceptance.publisher import SUBJECT, TRANSACTIONAL_SUBJECT, as_map
from tests.servers.daemon import Daemon
from tests.servers.fleet import Fleet
from tests.servers.nats import NatsServer
from tests.servers.ports import free_ports
from tests.servers.program import run_program
from tests.waiting import PATIENCE, patience

_ACCOUNTS = (Path(__file__).parents[2] / "deploy" / "nats-accounts.conf").read_text()
_PASSWORDS = "EMAIL_CONSUMER_PASSWORD: ours\nSHOP_PASSWORD: theirs\n"
_OURS = {"NATS_USER": "email-consumer", "NATS_PASSWORD": "ours"}


@asynccontextmanager
async def login(server: NatsServer, user: str, password: str) -> AsyncIterator[Client]:
    client = await nats.connect(server.url, user=user, password=password, error_cb=_ignore)
    try:
        yield client
    finally:
        await client.close()


async def _ignore(_: Exception) -> None:
    """What is refused is in the server's log."""


def violations(server: NatsServer) -> list[str]:
    return [line for line in server.log if "Violation" in line]


async def publish(server: NatsServer) -> None:
    """As a shop: bulk and transactional mail, one that bounces, one for later, one that can't be read."""
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    bounce = as_map("bounce", email="bounce@simulator.amazonses.com")
    async with login(server, "shop", "theirs") as client:
        stream = client.jetstream()
        for payload in (as_map("bulk"), as_map("later", scheduled_at=soon), b"poison", bounce):
            await stream.publish(SUBJECT, payload)
        urgent = await stream.publish(TRANSACTIONAL_SUBJECT, as_map("urgent"), headers={"Nats-Msg-Id": "urgent"})
        again = await stream.publish(TRANSACTIONAL_SUBJECT, as_map("urgent"), headers={"Nats-Msg-Id": "urgent"})
        assert (urgent.stream, urgent.duplicate, again.duplicate) == ("messages", None, True)


async def command(directory: Path, server: NatsServer, *arguments: str, **variables: str) -> str:
    environment = {"NATS_URL": server.url, **_OURS, **variables}
    code, output, errors = await run_program(*arguments, directory=directory, environment=environment)
    assert code == 0, errors
    return output


@pytest.mark.parametrize("kind", ["run", "roles"])
async def test_the_product_needs_no_more(tmp_path: Path, kind: str) -> None:
    [port] = free_ports(1)
    server = NatsServer(tmp_path / "nats", _PASSWORDS + _ACCOUNTS)
    async with server, sandbox_with_events(tmp_path, port) as sandbox:
        variables = await variables_for(tmp_path, server, sandbox) | _OURS | {"EVENTS_OUT": "nats", "CLAIM_LEASE": "4"}
        process: Any = (
            Daemon(tmp_path / "daemon", variables | {"SERVER_PORT": str(port)})
            if kind == "run"
            else Fleet(tmp_path, variables, port=port, workers=1)
        )
        async with process:
            await publish(server)
            answer = await sandbox.get("/messages/wait", count=4, timeout=PATIENCE)
            assert answer["reached"]
            await _read_bounces(server)
            assert "undecodable" in await command(tmp_path, server, "dlq", "list")
            await command(tmp_path, server, "dlq", "remove", "--all", "--yes")
        if kind == "roles":
            await command(tmp_path, server, "rebuild", DB_PATH=str(tmp_path / "rebuilt.db"), LEDGER="jetstream")
    assert violations(server) == []


async def _read_bounces(server: NatsServer) -> None:
    """As a shop, of a consumer that an operator made."""
    async with login(server, *_OURS.values()) as operator:
        await operator.jetstream().add_consumer(
            "messages-events", ConsumerConfig(durable_name="bounces", filter_subject="messages-events.bounced")
        )
    async with login(server, "shop", "theirs") as client, patience():
        subscription = await client.jetstream().pull_subscribe_bind("bounces", "messages-events")
        [message] = await subscription.fetch(1, timeout=PATIENCE)
        assert orjson.loads(message.data)["uuid"] == "bounce"
        await message.ack_sync()


@pytest.mark.parametrize(
    "subject",
    [
        "messages.other",
        "messages-dead.forged",
        "messages-outcomes.forged",
        "$KV.messages-claims.forged",
        "$JS.API.STREAM.INFO.messages",
        "$JS.API.STREAM.DELETE.messages",
        "$JS.API.CONSUMER.MSG.NEXT.messages.email-processor",
        "$JS.API.CONSUMER.CREATE.messages-events",
    ],
)
async def test_a_publisher_may_do_nothing_else(tmp_path: Path, subject: str) -> None:
    async with NatsServer(tmp_path / "nats", _PASSWORDS + _ACCOUNTS) as server:
        async with login(server, "shop", "theirs") as client:
            with pytest.raises(NatsError):
                await client.request(subject, b"", timeout=1)
        [line] = violations(server)
        assert subject in line


async def test_a_publisher_does_not_see_what_is_delivered_to_the_daemon(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats", _PASSWORDS + _ACCOUNTS)
    async with server, login(server, "shop", "theirs") as shop, login(server, *_OURS.values()) as ours:
        seen_by = {client: await client.subscribe("_INBOX.>") for client in (shop, ours)}
        for client in seen_by:
            await client.flush()
        await ours.jetstream().account_info()
        for client in seen_by:
            await client.flush()
        assert [subscription.pending_msgs for subscription in seen_by.values()] == [0, 1]
