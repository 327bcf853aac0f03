"""What the ledger costs a mail: claim and finish in groups, on a real SQLite file and on a real nats-server.

    python -m benchmarks.ledger [--mails 20000] [--group 100] [--profile JetStream]

CPU is this process's, all its threads (SQLite's among them), and beside it that of the nats-server, one node, which runs
on another core. The first line is what the tasks cost by themselves, and part of the others. Messages are new, with a
topic and a random uuid, as in the daemon's normal run: in SQLite an insert and an update each, with their indexes and
triggers, with FULL and NORMAL synchronisation; in JetStream two compare-and-sets and a share of a batch. A group follows
the other without the ledger's pause in between: a core that idles in it wakes up slow, and would be what is measured.
"""

import argparse
import asyncio
import cProfile
import gc
import logging
import pstats
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from uuid import UUID

import nats
import structlog
import uvloop

from benchmarks.cores import BESIDE, UNDER_TEST, on
from benchmarks.usage import cpu_seconds
from email_consumer.core.ledger import Ledger, Origin
from email_consumer.core.outcome import Sent
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.model import EmailMessage
from email_consumer.store.database import open_database
from tests.servers.claims import first_claims
from tests.servers.nats import NatsServer

ROUNDS = 3
POLICY = Policy(86_400, "resend", 120, 5)


class NoLedger:
    """Lets others run once where a ledger would wait for its commit."""

    async def claim(self, *_: object) -> None:
        await asyncio.sleep(0)

    async def finish(self, *_: object) -> None:
        await asyncio.sleep(0)


Measured = tuple[Ledger | NoLedger, int | None]
"""The ledger, and the nats-server's pid if it has one."""


def messages(count: int, round_: int) -> list[EmailMessage]:
    chance = random.Random(round_)
    return [
        EmailMessage(
            uuid=str(UUID(int=chance.getrandbits(128))),
            email=f"user{number}@example.com",
            subject="s",
            body="b",
            topic_id=f"topic-{number % 10}",
        )
        for number in range(count)
    ]


@asynccontextmanager
async def no_ledger(_directory: Path) -> AsyncIterator[Measured]:
    yield NoLedger(), None


@asynccontextmanager
async def sqlite(synchronous: str, directory: Path) -> AsyncIterator[Measured]:
    async with open_database(directory / "email.db", synchronous=synchronous) as database:
        ledger = SqliteLedger(database, lambda *_: None, POLICY, interval=0)
        async with ledger.running():
            yield ledger, None


@asynccontextmanager
async def jetstream(directory: Path) -> AsyncIterator[Measured]:
    async with AsyncExitStack() as stack:
        with on(BESIDE):
            server = await stack.enter_async_context(NatsServer(directory))
        client = await nats.connect(server.url)
        stack.push_async_callback(client.close)
        await ensure_ledger_streams(client, "messages", replicas=1)
        await first_claims(client, "messages", replicas=1)
        publisher = Publisher(client)
        ledger = JetStreamLedger(publisher, lambda *_: None, POLICY, stream="messages")
        await stack.enter_async_context(ledger.running())
        yield ledger, server.pid


LEDGERS: dict[str, Callable[[Path], AbstractAsyncContextManager[Measured]]] = {
    "tasks alone": no_ledger,
    "SQLite, FULL": partial(sqlite, "FULL"),
    "SQLite, NORMAL": partial(sqlite, "NORMAL"),
    "JetStream": jetstream,
}


async def measure(name: str, mails: int, group: int, round_: int) -> tuple[float, float, float]:
    """Microseconds a mail: of CPU, of the nats-server's CPU, and of time."""
    with tempfile.TemporaryDirectory() as directory:
        async with LEDGERS[name](Path(directory)) as (ledger, server):
            batch = messages(mails, round_)
            gc.collect()
            gc.freeze()  # as the daemon does; and the messages made beforehand are no cost of the ledger
            served, cpu, began = cpu_seconds(server) if server else 0.0, process_time(), perf_counter()
            for start in range(0, mails, group):
                await in_one_group(ledger, batch[start : start + group], start)
            took, spent = perf_counter() - began, process_time() - cpu
            served = cpu_seconds(server) - served if server else 0.0
            return spent / mails * 1e6, served / mails * 1e6, took / mails * 1e6


async def in_one_group(ledger: Ledger | NoLedger, batch: list[EmailMessage], start: int) -> None:
    """A task a mail, as the daemon has for each delivery: claimed together, then finished together."""

    async def deliver(mail: EmailMessage, sequence: int) -> None:
        origin = Origin("nats", "messages:1", sequence, 0.0)
        await ledger.claim(mail, origin)
        await ledger.finish(mail, Sent(f"0102018c{sequence:08x}-{mail.uuid}-000000"), origin)

    await asyncio.gather(*(deliver(mail, start + number) for number, mail in enumerate(batch)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--group", type=int, default=100)
    parser.add_argument("--profile", choices=LEDGERS, help="of one round with this ledger, instead of the table")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    gc.set_threshold(50_000, 20, 100)  # the daemon's
    with on(UNDER_TEST):
        if arguments.profile:
            with cProfile.Profile() as profile:
                uvloop.run(measure(arguments.profile, arguments.mails, arguments.group, 0))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            return
        print(f"claim + finish in groups of {arguments.group}, {arguments.mails:,} mails, medians of {ROUNDS}")
        print(f"{'ledger':<16}{'CPU µs/mail':>12}{'nats-server':>13}{'µs/mail':>10}")
        for name in LEDGERS:
            found = [uvloop.run(measure(name, arguments.mails, arguments.group, round_)) for round_ in range(ROUNDS)]
            cpu, served, wall = (median(column) for column in zip(*found, strict=True))
            print(f"{name:<16}{cpu:>12.1f}{served:>13.1f}{wall:>10.1f}")


if __name__ == "__main__":
    main()
