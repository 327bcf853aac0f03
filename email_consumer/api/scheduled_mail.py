"""Changes single mails from the API that are due later and not published yet."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from email_consumer.api import statements
from email_consumer.core.outcome import StopReason
from email_consumer.core.unsent import Unsent
from email_consumer.store.database import Database


class ScheduledMail:
    """Both methods return whether the mail was still waiting for its time; if not, nothing is changed."""

    def __init__(
        self,
        database: Database,
        publishing_paused: Callable[[], AbstractAsyncContextManager[None]],
        changed: Callable[[], None],
        *,
        unsent: Unsent,
    ) -> None:
        """`publishing_paused`: nothing is published within its block; `changed` wakes the scheduler."""
        self._database = database
        self._publishing_paused = publishing_paused
        self._changed = changed
        self._unsent = unsent

    async def find(self, uuid: str) -> sqlite3.Row | None:
        """The mail's row with its content, if it came through the API."""
        found = await self._database.fetch(statements.API_MAIL, (uuid,))
        return found[0] if found else None

    async def move(self, uuid: str, due_at: float) -> bool:
        """Let it be due at another time (Unix seconds)."""
        moved = await self._change(statements.MOVE, {"uuid": uuid, "due_at": due_at})
        if moved:
            self._changed()
        return moved

    async def cancel(self, uuid: str) -> bool:
        """Stop it for good."""
        cancelled = await self._change(statements.CANCEL_MAIL, {"uuid": uuid, "error": str(StopReason.CANCELLED)})
        if cancelled:
            self._unsent.count(StopReason.CANCELLED)
        return cancelled

    async def _change(self, statement: str, values: dict[str, object]) -> bool:
        async with self._publishing_paused(), self._database.transaction() as connection:
            return (await connection.execute(statement, {**values, "now": time.time()})).rowcount > 0
