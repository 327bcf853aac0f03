"""What every run has: the SES endpoint, an upstream publisher that imports nothing of the product, and the count."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import msgpack
import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from ses_sandbox.testing import SandboxProcess

TOPIC = "arn:aws:sns:ap-northeast-2:000000000000:ses-events"
_SUBJECTS = ("messages.email", "messages.transactional")
PATIENCE = 300
"""Seconds after which a run that doesn't come to its end is given up."""
_LOOK = 0.2


@dataclass(frozen=True, slots=True)
class Count:
    """What became of the mails of one run."""

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
    misshown: int = 0
    """Mails whose row in the end doesn't say Sent, or whose events out don't tell what happened, where that was looked at."""


def one_address(_number: int) -> str:
    """The same for all mails."""
    return "you@example.com"


@dataclass(kw_only=True)
class Harness(ABC):
    """One run."""

    directory: Path
    sandbox: SandboxProcess
    publishers: list[JetStreamContext]
    """Each publishes every mail."""
    chance: random.Random
    uuids: list[str] = field(default_factory=list)
    kills: int = 0

    async def publish(self, mails: int, address: Callable[[int], str] = one_address) -> None:
        """So many mails to the address of each number, half of them in each lane, each stored when this returns, its copies one after the other."""
        first = len(self.uuids)
        self.uuids += [f"mail-{number:06}" for number in range(first, first + mails)]
        waiting = []
        for number, (uuid, subject) in enumerate(zip(self.uuids[first:], cycle(_SUBJECTS), strict=False), first):
            payload = msgpack.packb({"uuid": uuid, "email": address(number), "subject": uuid, "body": "<p>Hi</p>"})
            waiting += [await publisher.publish_async(subject, payload) for publisher in self.publishers]
        await asyncio.gather(*waiting)

    async def wait_sent(self, mails: int) -> None:
        """Until SES has accepted so many, or no more are coming."""
        await self.sandbox.get("/messages/wait", count=mails, timeout=PATIENCE)

    async def finish(self) -> Count:
        """Wait until the stream is empty, and count."""
        await self.emptied("messages")
        sent = dict((await self.sandbox.get("/messages/uuids"))["uuids"])
        parked = await self._dead_letters()
        return Count(
            published=len(self.uuids),
            lost=sum(uuid not in sent and uuid not in parked for uuid in self.uuids),
            doubled=sum(times - 1 for times in sent.values()),
            in_doubt=self.in_doubt(),
            parked=len(parked),
            kills=self.kills,
        )

    @abstractmethod
    def in_doubt(self) -> int:
        """Claims without a committed outcome at the kills so far."""

    async def emptied(self, stream: str) -> None:
        """Wait until the stream is."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    if not (await self.publishers[0].stream_info(stream)).state.messages:
                        return
                except (NatsError, TimeoutError):
                    pass  # a leader is being elected
                await asyncio.sleep(_LOOK)

    async def _dead_letters(self) -> set[str]:
        jetstream = self.publishers[0]
        state = (await jetstream.stream_info("messages-dead")).state
        letters = [
            await jetstream.get_msg("messages-dead", seq) for seq in range(state.first_seq or 1, state.last_seq + 1)
        ]
        return {msgpack.unpackb(letter.data or b"")["uuid"] for letter in letters}


def variables(nats_url: str, sandbox: SandboxProcess, directory: Path, port: int) -> dict[str, str]:
    """What the daemon of any run runs with; SES's events come to `port`."""
    return {
        "NATS_URL": nats_url,
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
        "BULK_FLOOR": "0.5",  # so that each kill hits mail of both lanes
    }


def sandbox_process(directory: Path, events_to: str | None) -> SandboxProcess:
    """SES's events go out as signed SNS messages to that URL, if any, again and again until they are taken."""
    events = (
        ("--events-to", events_to, "--event-retry-delay", "0.5", "--event-max-retries", "100000") if events_to else ()
    )
    return SandboxProcess(directory / "sandbox", *events, "--keep", "10000000")


async def upstream(urls: str | list[str]) -> Client:
    """A publisher's connection, which comes back by itself."""
    return await nats.connect(urls, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_ignore)


async def _ignore(error: Exception) -> None:
    """Of each failed try to come back; nats-py would print them."""
