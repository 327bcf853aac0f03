"""Writes outcomes to the rows of their mails."""

import sqlite3

from email_consumer.core.outcome import Conflict, InDoubt, Parked, Sent, Stopped
from email_consumer.ledgers import statements
from email_consumer.ledgers.row_changes import FinishRequest, row_change
from email_consumer.ledgers.rows import left_out_rows, stopped_row, trace_rows


def write_outcomes(
    connection: sqlite3.Connection, entries: list[FinishRequest], now: float, *, keep_subjects: bool
) -> None:
    """Write a group's outcomes; `now` in Unix seconds. `keep_subjects`: of mail that was never claimed."""
    finishes, stops, stopped, parked, remarks, left_out = [], [], [], [], [], []
    for entry in entries:
        if isinstance(entry.outcome, Conflict):  # the row belongs to another mail, whose state does not change
            remarks.append(_remark(entry, "conflict", entry.outcome.reason, now))
            continue
        step = row_change(entry.outcome)
        if isinstance(entry.outcome, Stopped):
            stopped.append(entry)
            stops.append(stopped_row(entry.message, entry.origin, entry.outcome, now, keep_subject=keep_subjects))
        else:
            finished_at = now if step.final else ""
            finishes.append(
                # In the order of `statements.finish`, an empty text for what is missing.
                (
                    entry.message.uuid,
                    int(step.status),
                    step.attempts,
                    int(step.in_doubt),
                    step.error or "",
                    step.message_id or "",
                    finished_at,
                    now,
                )
            )
        if isinstance(entry.outcome, Parked):
            parked.append({"uuid": entry.message.uuid})
        if step.remark:
            remarks.append(_remark(entry, step.remark, step.error, now))
        if isinstance(entry.outcome, (Sent, InDoubt)):
            left_out += left_out_rows(entry.message.uuid, entry.outcome.left_out, now)
    statements.for_rows(connection, statements.finish, finishes)
    connection.executemany(statements.STOP, stops)
    connection.executemany(statements.TRACE, trace_rows(stopped))
    connection.executemany(statements.FORGET_CONTENT, parked)
    connection.executemany(statements.REMARK, remarks)
    connection.executemany(statements.LEFT_OUT, left_out)


def _remark(entry: FinishRequest, remark: str, error: str | None, now: float) -> dict[str, object]:
    return {"uuid": entry.message.uuid, "remark": remark, "error": error, "now": now}
