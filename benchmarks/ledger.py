"""What the ledger costs a mail: claim and finish in groups, on a real SQLite file and on a real nats-server.

    python -m benchmarks.ledger [--mails 20000] [--group 100] [--rows 1000000] [--baseline PATH] [--profile JetStream]

CPU is this process's, all its threads (SQLite's among them), and beside it that of the nats-server, one node, which runs
on another core. The first line is what the tasks cost by themselves, and part of the others. Messages are new, with a
topic and a random uuid, as in the daemon's normal run: in SQLite an insert and an update each, with their indexes and
triggers, with FULL and NORMAL synchronisation; in JetStream two compare-and-sets and a share of a batch. A group follows
the other without the ledger's pause in between: a core that idles in it wakes up slow, and would be what is measured.
With SQLite, `--rows` mails are in the file before.
`--baseline` is a checkout of another version, measured in turns with this one; its ledgers must have the same names.
"""

import argparse
import asyncio
import cProfile
import gc
import logging
import pstats
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, time
from uuid import UUID

import orjson
import structlog
import uvloop

from benchmarks.cores import BESIDE, UNDER_TEST, on
from benchmarks.usage import cpu_seconds
from email_consumer.core.ledger import Ledger, Origin
from email_consumer.core.outcome import Sent
from email_consumer.jetstream.connection import NatsEndpoint, connect
from email_consumer.jetstream.publisher import Publisher
from email_consumer.ledgers.jetstream.ledger import JetStreamLedger
from email_consumer.ledgers.jetstream.streams import ensure_ledger_streams
from email_consumer.ledgers.rule import Policy
from email_consumer.ledgers.sqlite import SqliteLedger
from email_consumer.message.model import EmailMessage
from email_consumer.store.database import Database, open_database
from tests.servers.claims import first_claims
from tests.servers.nats import NatsServer

HERE = Path(__file__).parent.parent
POLICY = Policy(86_400, "resend", 120, 5)
FILL = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :rows)
INSERT INTO email_requests (uuid, topic_id, email, status, attempts, message_id, claimed_at, finished_at, source,
    recipients_hash, content_hash, created_at, updated_at)
SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a'
        || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
    'topic-' || n % 10, 'user' || abs(random() % 10000000) || '@example.com', 2, 1, '0102018b-' || lower(hex(randomblob(16))),
    :now, :now, 'nats', random(), random(), :now, :now FROM number
"""


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
            email=f"user{chance.getrandbits(24)}@example.com",
            subject="s",
            body="b",
            topic_id=f"topic-{number % 10}",
        )
        for number in range(count)
    ]


@asynccontextmanager
async def no_ledger(_directory: Path, _rows: int) -> AsyncIterator[Measured]:
    yield NoLedger(), None


@asynccontextmanager
async def sqlite(synchronous: str, directory: Path, rows: int) -> AsyncIterator[Measured]:
    async with open_database(directory / "email.db", synchronous=synchronous) as database:
        await fill(database, rows)
        ledger = SqliteLedger(database, lambda *_: None, POLICY, interval=0)
        async with ledger.running():
            yield ledger, None


async def fill(database: Database, rows: int) -> None:
    """Up to so many mails, with random uuids and addresses as real ones have, in steps that keep the WAL short."""
    ((there,),) = await database.fetch("SELECT count(*) FROM email_requests")
    for start in range(there, rows, 50_000):
        async with database.transaction() as connection:
            await connection.execute(FILL, {"rows": min(50_000, rows - start), "now": time()})


@asynccontextmanager
async def jetstream(directory: Path, _rows: int) -> AsyncIterator[Measured]:
    async with AsyncExitStack() as stack:
        with on(BESIDE):
            server = await stack.enter_async_context(NatsServer(directory))
        client = await connect(NatsEndpoint([server.url]))  # as the daemon does: its client has a shorter way
        stack.push_async_callback(client.close)
        await ensure_ledger_streams(client, "messages", replicas=1)
        await first_claims(client, "messages", replicas=1)
        publisher = Publisher(client)
        ledger = JetStreamLedger(publisher, lambda *_: None, POLICY, stream="messages")
        await stack.enter_async_context(ledger.running())
        yield ledger, server.pid


LEDGERS: dict[str, Callable[[Path, int], AbstractAsyncContextManager[Measured]]] = {
    "tasks alone": no_ledger,
    "SQLite, FULL": partial(sqlite, "FULL"),
    "SQLite, NORMAL": partial(sqlite, "NORMAL"),
    "JetStream": jetstream,
}


async def measure(name: str, options: argparse.Namespace, directory: Path) -> list[float]:
    """Microseconds a mail: of CPU, of the nats-server's CPU, and of time."""
    mails, group = options.mails, options.group
    async with LEDGERS[name](directory, options.rows) as (ledger, server):
        batch = messages(mails, options.round)
        gc.collect()
        gc.freeze()  # as the daemon does; and the messages made beforehand are no cost of the ledger
        served, cpu, began = cpu_seconds(server) if server else 0.0, process_time(), perf_counter()
        for start in range(0, mails, group):
            await in_one_group(ledger, batch[start : start + group], start)
        took, spent = perf_counter() - began, process_time() - cpu
        served = cpu_seconds(server) - served if server else 0.0
        return [figure / mails * 1e6 for figure in (spent, served, took)]


async def in_one_group(ledger: Ledger | NoLedger, batch: list[EmailMessage], start: int) -> None:
    """A task a mail, as the daemon has for each delivery: claimed together, then finished together."""

    async def deliver(mail: EmailMessage, sequence: int) -> None:
        origin = Origin("nats", "messages:1", sequence, 0.0)
        await ledger.claim(mail, origin)
        await ledger.finish(mail, Sent(f"0102018c{sequence:08x}-{mail.uuid}-000000"), origin)

    await asyncio.gather(*(deliver(mail, start + number) for number, mail in enumerate(batch)))


def measure_in_child(
    name: str, round_: int, options: argparse.Namespace, checkout: Path, directory: Path
) -> list[float]:
    """As `measure`, with the program of a checkout."""
    start = f"""
import sys
sys.path[:0] = [{str(HERE)!r}]
import benchmarks, tests  # noqa: E401 - these of this version
sys.path[:0] = [{str(checkout)!r}]
import runpy
runpy.run_module("benchmarks.ledger", run_name="__main__")
"""
    command = [sys.executable, "-P", "-c", start, "--only", name, "--round", str(round_), "--directory", str(directory)]
    command += ["--mails", str(options.mails), "--group", str(options.group), "--rows", str(options.rows)]
    figures: list[float] = orjson.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--group", type=int, default=100)
    parser.add_argument("--rows", type=int, default=0, help="in the SQLite file beforehand")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--baseline", type=Path, help="a checkout of another version that takes part")
    parser.add_argument("--who", default="", help="only ledgers whose name holds this")
    parser.add_argument("--profile", choices=LEDGERS, help="of one round with this ledger, instead of the table")
    parser.add_argument("--only", choices=LEDGERS, help=argparse.SUPPRESS)
    parser.add_argument("--round", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    gc.set_threshold(50_000, 20, 100)  # the daemon's
    with on(UNDER_TEST), tempfile.TemporaryDirectory() as directory:
        if options.only:
            print(orjson.dumps(uvloop.run(measure(options.only, options, options.directory))).decode())
            return
        if options.profile:
            with cProfile.Profile() as profile:
                uvloop.run(measure(options.profile, options, Path(directory)))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            return
        compare(options, Path(directory))


def compare(options: argparse.Namespace, directory: Path) -> None:
    versions = {"": HERE} | ({f" ({options.baseline.name})": options.baseline.resolve()} if options.baseline else {})
    print(f"claim + finish in groups of {options.group}, {options.mails:,} mails, medians of {options.rounds}")
    print(f"{'ledger':<30}{'CPU µs/mail':>12}{'nats-server':>13}{'µs/mail':>10}{'CPU of each round':>24}")
    for name in LEDGERS:
        if options.who not in name:
            continue
        found: dict[str, list[list[float]]] = {version: [] for version in versions}
        for round_ in range(options.rounds):
            for version, checkout in versions.items():
                place = directory / f"{name}{version}" / ("" if "SQLite" in name else str(round_))
                place.mkdir(parents=True, exist_ok=True)
                found[version].append(measure_in_child(name, round_, options, checkout, place))
        for version, rounds in found.items():
            cpu, served, wall = (median(column) for column in zip(*rounds, strict=True))
            each = " ".join(f"{figures[0]:.0f}" for figures in rounds)
            print(f"{name + version:<30}{cpu:>12.1f}{served:>13.1f}{wall:>10.1f}{each:>24}", flush=True)
        for version in versions:
            shutil.rmtree(directory / f"{name}{version}")


if __name__ == "__main__":
    main()
