"""The senders that run under the same faults, each with its best documented settings."""

import asyncio
import sqlite3
import sys
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgpack
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from benchmarks.mails import STREAM, SUBJECT
from benchmarks.program import python

_CONSUMER = "email-processor"
_ACK_WAIT = 30.0
"""Seconds, NATS's default: with less, a busy machine makes the peers send mail twice that only waits in their memory."""
JUNK = b"\xc1 this is no message"
"""MessagePack never begins with this byte."""
_REPOSITORY = Path(__file__).parent.parent.parent
_KEY = "benchmark"
_MUSELETTER = "museletter==1.5.0"
_PATIENCE = 60
"""Seconds until a server answers."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a sender still has in the end, by address."""

    waiting: frozenset[str]
    dead: frozenset[str]
    junk: int
    """Messages that can't be read and are still there."""


class Queue(ABC):
    """How mail gets into a sender, and what is left of it."""

    @abstractmethod
    async def open(self) -> None:
        """Wait until mail can be handed over."""

    @abstractmethod
    async def publish(self, addresses: Sequence[str], *, rate: float, junk: int) -> None:
        """Hand over a mail to each address, and this many unreadable messages, at `rate` a second."""

    @abstractmethod
    async def waits(self) -> bool:
        """Whether anything is in the queue."""

    @abstractmethod
    async def left(self) -> Left: ...


class InJetStream(Queue):
    """A work queue with a durable pull consumer. Its publisher is acknowledged, and repeats what was not."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def open(self) -> None:
        stream = StreamConfig(name=STREAM, subjects=[f"{STREAM}.*"], retention=RetentionPolicy.WORK_QUEUE)
        await self._jetstream.add_stream(stream)
        consumer = ConsumerConfig(
            durable_name=_CONSUMER,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT,
            filter_subject=SUBJECT,
            max_ack_pending=5_000,
        )
        await self._jetstream.add_consumer(STREAM, consumer)

    async def publish(self, addresses: Sequence[str], *, rate: float, junk: int) -> None:
        began = asyncio.get_running_loop().time()
        each = max(1, len(addresses) // max(1, junk))
        for number, address in enumerate(addresses):
            await asyncio.sleep(began + number / rate - asyncio.get_running_loop().time())
            mail = {"uuid": f"u-{number}", "email": address, "subject": "Hello", "body": "<p>Hello</p>"}
            await self._publish(msgpack.packb(mail), f"u-{number}")
            if junk and number % each == each - 1:
                await self._publish(JUNK, f"junk-{number}")

    async def _publish(self, payload: bytes, identity: str) -> None:
        while True:
            try:
                await self._jetstream.publish(SUBJECT, payload, headers={"Nats-Msg-Id": identity})
            except (NatsError, TimeoutError):
                await asyncio.sleep(0.1)
            else:
                return

    async def waits(self) -> bool:
        return bool((await self._jetstream.stream_info(STREAM)).state.messages)

    async def left(self) -> Left:
        waiting, junk = await self._messages(STREAM)
        dead, dead_junk = await self._messages(f"{STREAM}-dead")
        return Left(frozenset(waiting), frozenset(dead), junk + dead_junk)

    async def _messages(self, stream: str) -> tuple[list[str], int]:
        addresses, junk = [], 0
        try:
            state = (await self._jetstream.stream_info(stream)).state
        except NotFoundError:
            return [], 0
        for sequence in range(state.first_seq or 1, state.last_seq + 1):
            try:
                payload = (await self._jetstream.get_msg(stream, sequence)).data or b""
            except NotFoundError:
                continue
            if payload == JUNK:
                junk += 1
            else:
                addresses.append(msgpack.unpackb(payload)["email"])
        return addresses, junk


class InMuseletter(Queue):
    """One campaign to a list of subscribers: its own queue, in its own file."""

    def __init__(self, url: str, file: Path) -> None:
        self._url = url
        self._file = file

    async def open(self) -> None:
        async with asyncio.timeout(_PATIENCE), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{self._url}/health") as answer:
                        if answer.ok:
                            return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.2)

    async def publish(self, addresses: Sequence[str], *, rate: float, junk: int) -> None:  # noqa: ARG002 - it has no such things
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {_KEY}"}, raise_for_status=True) as session:
            slug = (await (await session.get(f"{self._url}/v1/lists")).json())["lists"][0]["slug"]
            of_list = f"{self._url}/v1/lists/{slug}"
            await session.post(f"{of_list}/subscribers/import", json={"csv": "\n".join(["email", *addresses])})
            campaign = {"subject": "Hello", "body_markdown": "Hello", "track_opens": False}
            made = await (await session.post(f"{of_list}/campaigns", json=campaign)).json()
            sending = f"{self._url}/v1/campaigns/{made['id']}/send"
            await session.post(sending, json={"confirm": True, "skip_test": True})

    async def waits(self) -> bool:
        return bool((await self.left()).waiting)

    async def left(self) -> Left:
        with sqlite3.connect(f"file:{self._file}?mode=ro", uri=True) as connection:
            rows = connection.execute("SELECT email, status FROM campaign_recipients").fetchall()
        connection.close()
        waiting = frozenset(address for address, status in rows if status == "pending")
        return Left(waiting, frozenset(address for address, status in rows if status == "failed"), 0)


@dataclass(frozen=True, slots=True)
class Sender:
    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    """In addition to `COMMON`."""
    takes_events: bool = False
    """SES's events are posted to it; no others would have anything that listens."""
    own_queue: bool = False
    """It does not read from NATS."""
    most_mails: int | None = None
    """In a run, where it is slow."""


COMMON = {
    "PYTHONPATH": str(_REPOSITORY),
    "STREAM": STREAM,
    "SUBJECT": SUBJECT,
    "CONSUMER": _CONSUMER,
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


async def install_museletter(directory: Path) -> Path:
    """Install it from its registry into an environment of its own; returns the interpreter.

    Raises:
        RuntimeError: that failed, perhaps since the registry can't be reached.
    """
    uv, interpreter = Path(sys.executable).parent / "uv", directory / "bin" / "python"
    for arguments in (("venv", directory), ("pip", "install", "--python", interpreter, _MUSELETTER)):
        process = await asyncio.create_subprocess_exec(uv, "--quiet", *arguments, stderr=PIPE)
        _, text = await process.communicate()
        if process.returncode:
            raise RuntimeError(text.decode(errors="replace"))
    return interpreter


def senders(rate: float, museletter: Path) -> tuple[Sender, ...]:
    """All of them.

    Args:
        rate: the account's, in mails a second, for those that can be told.
        museletter: an interpreter that has it.
    """
    careful = ("--tuned", "--careful")
    server = str(_REPOSITORY / "benchmarks" / "peers" / "museletter_server.py")
    return (
        Sender(
            "email_consumer",
            python("email_consumer", "run"),
            {"SES_RATE_PER_SEC": f"{rate:g}", "IN_DOUBT_GRACE": "10", "ACK_WAIT": f"{_ACK_WAIT:g}", "RETRY_DELAY": "1"},
            takes_events=True,
        ),
        Sender("FastStream + aioboto3", python("benchmarks.peers.faststream_aioboto3", *careful), {}),
        Sender("nats-py fetch + boto3 threads", python("benchmarks.peers.threads_boto3", *careful), {}),
        Sender(
            "museletter 1.5.0, from its own queue",
            (str(museletter), server, "serve"),
            {
                "PYTHONPATH": "",
                "MUSELETTER_API_KEY": _KEY,
                "MUSELETTER_BASE_URL": "http://127.0.0.1",
                "MUSELETTER_FROM_EMAIL": "no-reply@example.com",
                "MUSELETTER_SEND_RATE": f"{rate:g}",
                "MUSELETTER_OPT_IN": "single",
            },
            own_queue=True,
            most_mails=600,
        ),
    )
