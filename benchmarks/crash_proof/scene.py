"""The product and all it talks to, as processes that can be killed, and the count at the end."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import nats
from nats.js import JetStreamContext

from tests.servers.daemon import Daemon
from tests.servers.nats import NatsServer
from tests.servers.sandbox import SandboxProcess

TOPIC = "arn:aws:sns:ap-northeast-2:000000000000:ses-events"
PATIENCE = 300
"""Seconds after which a scene that doesn't come to its end is given up."""


@dataclass(frozen=True, slots=True)
class Count:
    """What became of the mails of one scene."""

    published: int
    lost: int
    """Neither at SES, nor in the dead letters, nor still in the stream."""
    doubled: int
    """Mails that reached SES more often than once, each further time counted."""
    in_doubt: int
    """Claims without a committed outcome, added up over all kills."""
    parked: int
    """Kept in the dead letters since nobody knows whether they were sent."""
    kills: int


@dataclass
class Scene:
    """One run: servers, daemon, and a publisher that imports nothing of the product."""

    directory: Path
    nats: NatsServer
    sandbox: SandboxProcess
    daemon: Daemon
    jetstream: JetStreamContext
    chance: random.Random
    uuids: list[str] = field(default_factory=list)
    kills: int = 0

    async def publish(self, mails: int) -> None:
        """So many mails, each stored when this returns."""
        first = len(self.uuids)
        self.uuids += [f"mail-{number:06}" for number in range(first, first + mails)]
        waiting = []
        for uuid in self.uuids[first:]:
            payload = msgpack.packb({"uuid": uuid, "email": "you@example.com", "subject": uuid, "body": "<p>Hi</p>"})
            waiting.append(await self.jetstream.publish_async("messages.email", payload))
        await asyncio.gather(*waiting)

    async def sent(self) -> int:
        return int((await self.sandbox.get("/messages/count"))["count"])

    async def wait_sent(self, mails: int) -> None:
        """Until SES has accepted so many, or no more are coming."""
        await self.sandbox.get("/messages/wait", count=mails, timeout=PATIENCE)

    async def kill_daemon(self) -> None:
        """SIGKILL, and start it again."""
        await self.daemon.kill()
        self.kills += 1
        await self.daemon.start()

    async def finish(self) -> Count:
        """Wait until the stream is empty, and count."""
        async with asyncio.timeout(PATIENCE):
            while (await self.jetstream.stream_info("messages")).state.messages:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.2)
        sent = dict((await self.sandbox.get("/messages/uuids"))["uuids"])
        parked = await self._dead_letters()
        return Count(
            published=len(self.uuids),
            lost=sum(uuid not in sent and uuid not in parked for uuid in self.uuids),
            doubled=sum(times - 1 for times in sent.values()),
            in_doubt=sum(line["mails"] for line in self.daemon.log if line.get("event") == "ledger.in_doubt"),
            parked=len(parked),
            kills=self.kills,
        )

    async def _dead_letters(self) -> set[str]:
        state = (await self.jetstream.stream_info("messages-dead")).state
        letters = [
            await self.jetstream.get_msg("messages-dead", seq)
            for seq in range(state.first_seq or 1, state.last_seq + 1)
        ]
        return {msgpack.unpackb(letter.data or b"")["uuid"] for letter in letters}


@asynccontextmanager
async def scene(
    directory: Path, *, seed: int, events: bool, events_to: str = "", **variables: object
) -> AsyncIterator[Scene]:
    """Start everything; `events`: SES's events go out as signed SNS messages, to the daemon or to `events_to` (a URL)."""
    port = _free_port()
    sandbox = SandboxProcess(
        directory / "sandbox",
        *("--events-to", events_to or f"http://127.0.0.1:{port}/v1/events/results"),
        *("--event-retry-delay", "0.5", "--event-max-retries", "100000"),
    )
    async with NatsServer(directory / "nats") as server, sandbox:
        await sandbox.put("/sandbox/events", {"enabled": events})
        daemon = Daemon(
            directory / "daemon",
            {
                "NATS_URL": server.url,
                "AWS_ENDPOINT_URL_SESV2": sandbox.url,
                "AWS_ENDPOINT_URL_SNS": sandbox.url,
                "AWS_ACCESS_KEY_ID": "sandbox",
                "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
                "SNS_TOPIC_ARNS": TOPIC,
                "SANDBOX_CERTIFICATE": str(directory / "sandbox" / "sns-certificate.pem"),
                "SERVER_PORT": str(port),
                "SERVER_URL": f"http://127.0.0.1:{port}",
                "ACK_WAIT": "2",
                "RETRY_DELAY": "0.5",
                **{name: str(value) for name, value in variables.items()},
            },
        )
        client = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_ignore)
        async with daemon:
            yield Scene(
                directory,
                server,
                sandbox,
                daemon,
                client.jetstream(publish_async_max_pending=1000),
                random.Random(seed),
            )
        await client.close()


async def _ignore(error: Exception) -> None:
    """The publisher comes back by itself; nats-py would print each failed try."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
