"""Keeps the reputation in the store: what changed is written every few seconds, and read at the start."""

import time

import orjson

from email_consumer.reputation import statements
from email_consumer.reputation.counts import WINDOWS, Counts
from email_consumer.reputation.reputation import Reputation
from email_consumer.store.database import Database

_LEAST_MAILS = 50
"""Fewer are not worth a row: there may be a topic for each mail."""


async def load_counts(database: Database, reputation: Reputation) -> None:
    """Continue with what an earlier process counted."""
    for row in await database.fetch(statements.LOAD, (time.time() - WINDOWS[-1],)):
        if row["resumed_at"] is not None:
            reputation.resume(row["key"], row["resumed_at"])
        reputation.counts[row["key"]] = Counts.load(orjson.loads(row["cohorts"]))
    reputation.changed.clear()


async def save_counts(database: Database, reputation: Reputation) -> None:
    """Write what changed since the last time, and forget what is older than the longest window.

    Raises:
        sqlite3.OperationalError: nothing was written; it is written the next time.
    """
    now = time.time()
    reputation.forget(now - WINDOWS[-1])
    rows = [row for key in reputation.changed if (row := _row(reputation, key, now))]
    async with database.transaction() as connection:
        await connection.executemany(statements.SAVE, rows)
        await connection.execute(statements.FORGET, (now - WINDOWS[-1],))
    reputation.changed.clear()


def _row(reputation: Reputation, key: str, now: float) -> dict[str, object] | None:
    counts, resumed_at = reputation.counts.get(key), reputation.resumed.get(key)
    if resumed_at is None and (counts is None or counts.total.sent < _LEAST_MAILS):
        return None
    cohorts = orjson.dumps(counts.dump() if counts else []).decode()
    return {"key": key, "cohorts": cohorts, "resumed_at": resumed_at, "now": now}
