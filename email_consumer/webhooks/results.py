"""Records what became of attempts, many in a transaction; nobody waits for that, so the commits set no endpoint's pace."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import aiosqlite
import structlog

from email_consumer.store.database import Database
from email_consumer.store.group_commit import GroupCommit
from email_consumer.webhooks import statements

_log = structlog.get_logger(__name__)


class Result(NamedTuple):
    """Of an attempt, as `statements.SETTLE` takes it. Times are Unix seconds."""

    id: int
    endpoint_id: str
    event_id: str
    attempts: int
    """Those before this one: a delivery that was made due again meanwhile stays due."""
    next_at: float | None = None
    delivered_at: float | None = None
    error: str | None = None


class Results:
    """`run` it. The caller bounds how many are not committed yet."""

    def __init__(self, database: Database) -> None:
        self._commit: GroupCommit[Result, bool] = GroupCommit(database, _settle, interval=0.05)
        self._waiting = set[asyncio.Future[bool]]()

    async def run(self) -> None:
        """Until cancelled."""
        await self._commit.run()

    def record(self, result: Result, settled: Callable[[Result, bool], None]) -> None:
        """`settled` is called at the end; with False, the delivery may be something else than the result says."""
        future = self._commit.submit(result)
        self._waiting.add(future)
        future.add_done_callback(partial(self._done, result, settled))

    async def flush(self) -> None:
        """Until all of them are committed."""
        if self._waiting:
            await asyncio.wait(self._waiting)

    def _done(self, result: Result, settled: Callable[[Result, bool], None], future: asyncio.Future[bool]) -> None:
        self._waiting.discard(future)
        error = future.exception()
        if error:
            _log.error("webhooks.not_recorded", delivery=result.id, error=repr(error))
        settled(result, not error and future.result())


async def _settle(connection: aiosqlite.Connection, results: list[Result]) -> list[bool]:
    cursor = await connection.executemany(statements.SETTLE, [each._asdict() for each in results])
    all_there = cursor.rowcount == len(results)
    return [all_there] * len(results)
