"""How long the first start after an upgrade takes: a database of an earlier version, with a million mails, migrated.

    python -m benchmarks.migration [--mails 1000000]

The database is a recorded one (tests/upgrade/fixtures) with a million finished mails more, an event each. A daemon that
migrates serves nothing yet; mail waits in the stream.
"""

import argparse
import asyncio
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from time import perf_counter
from typing import Any

import structlog

from email_consumer.store.database import open_database
from tests.upgrade.grown import grow
from tests.upgrade.installation import VERSIONS, unpack


class Steps:
    """What each step took, taken from what the store logs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = perf_counter()

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
        if event["event"] == "store.migrated":
            now = perf_counter()
            self.seconds[event["step"]], self._began = now - self._began, now
        raise structlog.DropEvent


async def measure(version: str, mails: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        unpack(version, "run", Path(directory))
        database = Path(directory) / "email.db"
        grow(database, mails)
        before = _megabytes(database)
        steps, began = Steps(), perf_counter()
        structlog.configure(processors=[steps])
        async with open_database(database):
            took = perf_counter() - began
        after = _megabytes(database)
        print(f"from {version}, {mails:,} mails: {took:.1f} s; {before:,.0f} MB before, {after:,.0f} MB after")
        for step, seconds in steps.seconds.items():
            print(f"  {step:<28}{seconds:>6.1f} s")


def _megabytes(file: Path) -> float:
    return file.stat().st_size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1_000_000)
    arguments = parser.parse_args()
    for version in VERSIONS:
        asyncio.run(measure(version, arguments.mails))


if __name__ == "__main__":
    main()
