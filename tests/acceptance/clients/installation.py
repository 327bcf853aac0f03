"""`email-consumer run --local`, as the first that a user of the client has."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import nats

from email_consumer_client import AsyncClient, Event, Mail, NotFoundError, parse_event
from tests.servers.daemon import Daemon
from tests.waiting import PATIENCE, until


@dataclass(frozen=True)
class Installation:
    url: str
    api_key: str
    nats_url: str
    ses_url: str

    async def received(self, to: str) -> dict[str, Any]:
        """The first mail to an address that the sandbox got, once it is there."""
        async with aiohttp.ClientSession(self.ses_url) as session:
            wanted: dict[str, Any] = {"count": 1, "to": to, "timeout": PATIENCE}
            async with session.get("/messages/wait", params=wanted) as answer:
                assert (await answer.json())["reached"]
            async with session.get("/messages", params={"to": to}) as answer:
                first, *_ = (await answer.json())["messages"]
                return dict(first)

    async def event(self, kind: str, uuid: str) -> Event:
        """The first event of this type about a mail, once it is in the stream."""
        connection = await nats.connect(self.nats_url)
        try:
            events = await connection.jetstream().pull_subscribe(f"messages-events.{kind}", stream="messages-events")
            while True:
                for message in await events.fetch(100, timeout=PATIENCE):
                    await message.ack()
                    event = parse_event(message.data)
                    if event.uuid == uuid:
                        return event
        finally:
            await connection.close()

    async def mail_until(self, uuid: str, holds: Callable[[Mail], bool]) -> Mail:
        """A mail as the API shows it, once it is as wanted."""
        async with AsyncClient(self.url, self.api_key) as client:
            mails: list[Mail] = []

            async def wanted() -> bool:
                try:
                    mails.append(await client.mail(uuid))
                except NotFoundError:  # NATS mail that wasn't pulled yet
                    return False
                return holds(mails[-1])

            await until(wanted)
            return mails[-1]


@asynccontextmanager
async def installed(directory: Path) -> AsyncIterator[Installation]:
    async with Daemon(directory, {"SERVER_PORT": "0", "EVENTS_OUT": "nats"}, "run", "--local") as daemon:
        known = json.loads((directory / "data" / "local.json").read_text())
        url = f"http://127.0.0.1:{known['server_port']}"
        yield Installation(url, known["api_key"], known["nats_url"], known["ses_endpoint"])
        assert await daemon.stop() == 0
