"""The rows of granted claims, gathered so that a group of them takes three statements."""

import sqlite3

import aiosqlite

from email_consumer.ledgers import statements
from email_consumer.ledgers.row_changes import ClaimRequest
from email_consumer.ledgers.rows import claimed_row, new_row
from email_consumer.ledgers.rule import Granted, Step


class GrantedRows:
    """`add` each granted claim, then `write` them."""

    def __init__(self, now: float, taken_over_at: float, *, keep_subjects: bool) -> None:
        """Both times in Unix seconds: that of the claims, and that from which the doubt of a doubtful one counts."""
        self._now = now
        self._taken_over_at = taken_over_at
        self._keep_subjects = keep_subjects
        self._retired: list[dict[str, object]] = []
        self._inserted: list[tuple[object, ...]] = []
        self._reclaimed: list[dict[str, object]] = []

    def add(self, claim: ClaimRequest, row: sqlite3.Row | None, granted: Granted) -> None:
        """`row`: what is known of the uuid."""
        doubtful = granted.doubtful
        claimed_at = self._taken_over_at if doubtful else self._now
        if row is not None and granted.step is Step.RENEW:
            self._retired.append({"id": row["id"]})
        if row is not None and granted.step is Step.RECLAIM:
            values = new_row(claim.message, claim.origin, self._now, keep_subject=self._keep_subjects)
            own = {"id": row["id"], "attempts": granted.spent, "in_doubt": int(doubtful), "claimed_at": claimed_at}
            self._reclaimed.append(values | own)
        else:
            self._inserted.append(
                claimed_row(
                    claim, self._now, in_doubt=doubtful, claimed_at=claimed_at, keep_subject=self._keep_subjects
                )
            )

    def write(self, connection: sqlite3.Connection) -> None:
        connection.executemany(statements.RETIRE, self._retired)
        statements.for_rows(connection, statements.insert_claimed, self._inserted)
        connection.executemany(statements.RECLAIM, self._reclaimed)

    async def write_by(self, connection: aiosqlite.Connection) -> None:
        """The same on the event loop, for few rows."""
        await connection.executemany(statements.RETIRE, self._retired)
        await connection.executemany(statements.insert_claimed(1), self._inserted)
        await connection.executemany(statements.RECLAIM, self._reclaimed)
