"""A process that reads deliveries, all of them delivered before, until one of them kills it.

It says of each what became of it. A delivery that is called `deadly` kills its reader.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import nats
import structlog

from email_consumer.core.careful_reader import CarefulReader, FatalDeliveryError, ReadingJournal
from email_consumer.ledgers.jetstream.reading_journal import BucketJournal
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from email_consumer.store.reading_journal import open_journal
from tests.factories import FakeDelivery


@asynccontextmanager
async def journal(place: str) -> AsyncIterator[ReadingJournal]:
    if not place.startswith("nats://"):
        async with open_journal(Path(place)) as in_a_file:
            yield in_a_file
        return
    client = await nats.connect(place)
    await ensure_ledger_streams(client, "messages", replicas=1)
    yield BucketJournal(client, "messages")
    await client.drain()


def read(payload: bytes) -> bytes:
    if payload == b"deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if payload == b"poison":
        raise ValueError("no message")
    return payload


async def _read_all(place: str, names: tuple[str, ...], say: Callable[[str], None]) -> None:
    async with journal(place) as noted:
        reader = CarefulReader(read, noted)

        async def one(number: int, name: str) -> None:
            delivery = FakeDelivery(name.encode(), sequence=number, received=2)
            try:
                await reader.read(delivery)
                said = "read"
            except ValueError:
                said = "not decodable"
            except FatalDeliveryError as error:
                said = f"left unread: {error}"
            say(f"{number} {said}")

        await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))


def main(place: str, names: tuple[str, ...], answers: "Connection[str, str]") -> None:
    """Read deliveries of these names; `place` is a file or a NATS URL."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_read_all(place, names, answers.send))
