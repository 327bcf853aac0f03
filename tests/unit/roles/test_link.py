"""What waits for others while it starts notices when NATS will have no more to do with us."""

import asyncio
from typing import cast

import pytest
from nats.aio.client import Client

from email_consumer.jetstream.connection_errors import ConnectionLostError
from email_consumer.roles.nats import NatsLink
from email_consumer.settings import load_settings
from email_consumer.sources.jetstream.topology import Topology
from tests.waiting import patience


def link() -> NatsLink:
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    return NatsLink(load_settings({}), Client(), cast("Topology", None), lost)


async def secret() -> str:
    await asyncio.sleep(0)
    return "secret"


async def for_ever() -> str:
    await asyncio.Event().wait()
    return ""


async def test_what_comes_is_handed_on() -> None:
    assert await link().unless_lost(secret()) == "secret"


async def test_a_lost_connection_ends_the_waiting() -> None:
    broken = link()
    asyncio.get_running_loop().call_soon(broken.lost.set_exception, ConnectionLostError("NATS closed the connection"))
    async with patience():
        with pytest.raises(ConnectionLostError):
            await broken.unless_lost(for_ever())
