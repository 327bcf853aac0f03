"""A recorded database made large: copies of one of its finished mails and of that mail's events."""

import sqlite3
from contextlib import closing
from pathlib import Path

_MODEL = "sent-map-0"
_NUMBERS = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :rows)"


def grow(database: Path, rows: int) -> None:
    """By that number of mails, each with its own address."""
    with closing(sqlite3.connect(database)) as connection, connection:
        [(model,)] = connection.execute("SELECT id FROM email_requests WHERE uuid = ?", (_MODEL,))
        [(last,)] = connection.execute("SELECT max(id) FROM email_requests")
        mail = {
            "id": ":last + n",
            "uuid": "'grown-' || n",
            "email": "'user' || n || '@example.com'",
            "message_id": "'grown-' || n",
            "topic_id": "'topic-' || n % 100",
        }
        result = {"id": "NULL", "request_id": ":last + n", "recipient": "'user' || n || '@example.com'"}
        given = {"rows": rows, "last": last, "model": model}
        _copy(connection, "email_requests", mail, "id = :model", given)
        _copy(connection, "email_results", result, "request_id = :model AND status = 'Delivery'", given)


def _copy(
    connection: sqlite3.Connection, table: str, different: dict[str, str], model: str, given: dict[str, int]
) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(different.get(column, f"model.{column}") for column in columns)
    connection.execute(
        f"{_NUMBERS} INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM number, {table} AS model WHERE model.{model}",  # noqa: S608 - columns that the database itself names
        given,
    )
