"""A worker to be killed: claims the uuids it is given, says so, and never reports.

Usage: python -m tests.integration.ledgers.claimer <NATS URL> <uuid>...
"""

import asyncio
import sys

import nats

from tests.factories import ORIGIN, mail
from tests.integration.ledgers.backends import JetStreamBackend


async def claim(url: str, uuids: list[str]) -> None:
    client = await nats.connect(url)
    async with JetStreamBackend(client).open() as ledger:
        await asyncio.gather(*(ledger.claim(mail(uuid), ORIGIN) for uuid in uuids))
        sys.stdout.write("claimed\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(claim(sys.argv[1], sys.argv[2:]))
