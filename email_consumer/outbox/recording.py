"""Writes an event's row in the transaction that records the outcome.

By triggers: whatever code changes a mail's row, and whatever it dies of, either both are on disk or neither is. They are
temporary objects of the writer's connection, so where events aren't wanted they cost nothing.
"""

from email_consumer.outbox.statements import TRIGGERS
from email_consumer.store.database import Database


async def record(database: Database) -> None:
    """Write an event for everything that our writer records from now on."""
    async with database.transaction() as connection:
        for name, definition in TRIGGERS.items():
            await connection.execute(f"CREATE TEMP TRIGGER IF NOT EXISTS outbox_{name} {definition}")
