"""What the ledger costs a mail: claim and finish in groups, on a real SQLite file, with FULL and NORMAL synchronisation.

    python -m benchmarks.ledger [--mails 20000] [--group 100] [--profile]

CPU is this process's, all its threads (SQLite's among them). Messages are new, with a topic, as in the daemon's normal
run: an insert and an update each, with their indexes and triggers.
"""

import argparse
import asyncio
import cProfile
import logging
import pstats
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import structlog
import uvloop

from benchmarks.cores import UNDER_TEST, on
from email_consumer.claim import Origin
from email_consumer.ledger.decision import Policy
from email_consumer.ledger.sqlite import SqliteLedger
from email_consumer.message import EmailMessage
from email_consumer.outcome import Sent
from email_consumer.store.database import open_database

ROUNDS = 3
POLICY = Policy(86_400, "resend", 120, 5)


def messages(count: int, round_: int) -> list[EmailMessage]:
    return [
        EmailMessage(
            uuid=f"{round_:08x}-0000-4000-8000-{number:012x}",
            email=f"user{number}@example.com",
            subject="s",
            body="b",
            topic_id=f"topic-{number % 10}",
        )
        for number in range(count)
    ]


async def measure(synchronous: str, mails: int, group: int, round_: int) -> tuple[float, float]:
    """Microseconds of CPU, and of time, a mail."""
    with tempfile.TemporaryDirectory() as directory:
        async with open_database(Path(directory) / "email.db", synchronous=synchronous) as database:
            ledger = SqliteLedger(database, lambda *_: None, POLICY)
            async with ledger.running():
                batch = messages(mails, round_)
                cpu, began = process_time(), perf_counter()
                for start in range(0, mails, group):
                    await in_one_group(ledger, batch[start : start + group], start)
                return (process_time() - cpu) / mails * 1e6, (perf_counter() - began) / mails * 1e6


async def in_one_group(ledger: SqliteLedger, batch: list[EmailMessage], start: int) -> None:
    """A task a mail, as the daemon has for each delivery: claimed together, then finished together."""

    async def deliver(mail: EmailMessage, sequence: int) -> None:
        origin = Origin("nats", "messages:1", sequence, 0.0)
        await ledger.claim(mail, origin)
        await ledger.finish(mail, Sent("0102018c-message-id"), origin)

    await asyncio.gather(*(deliver(mail, start + number) for number, mail in enumerate(batch)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--group", type=int, default=100)
    parser.add_argument("--profile", action="store_true", help="of one round with FULL, instead of the table")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with on(UNDER_TEST):
        if arguments.profile:
            with cProfile.Profile() as profile:
                uvloop.run(measure("FULL", arguments.mails, arguments.group, 0))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            return
        print(f"claim + finish in groups of {arguments.group}, {arguments.mails:,} mails, medians of {ROUNDS}")
        print(f"{'synchronous':<12}{'CPU µs/mail':>12}{'µs/mail':>10}")
        for synchronous in ("FULL", "NORMAL"):
            found = [
                uvloop.run(measure(synchronous, arguments.mails, arguments.group, round_)) for round_ in range(ROUNDS)
            ]
            cpu, wall = (median(column) for column in zip(*found, strict=True))
            print(f"{synchronous:<12}{cpu:>12.1f}{wall:>10.1f}")


if __name__ == "__main__":
    main()
