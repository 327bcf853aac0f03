"""A file that was restored from a backup knows nothing of what was sent since.

The backup lacks the ledger's identity (`store.backup`), so a process that starts on it takes the consumer over: mail that was delivered
meanwhile and not settled is in doubt (`rule.Takeover`). What waited in the file itself becomes so here.
"""

import time

import structlog

from email_consumer.ledgers.statements import DOUBT_WAITING
from email_consumer.message.times import from_unix
from email_consumer.store.backup import MADE_AT
from email_consumer.store.database import Database
from email_consumer.store.key_values import delete_values, read_value

_log = structlog.get_logger(__name__)


async def doubt_since_backup(database: Database) -> None:
    """Put in doubt what was due by now, if the file was restored from a backup; call this before anything is sent."""
    made_at = await read_value(database, MADE_AT)
    if made_at is None:
        return
    async with database.transaction() as connection:
        doubted = (await connection.execute(DOUBT_WAITING, {"now": time.time()})).rowcount
    await delete_values(database, [MADE_AT])
    hint = (
        "they are resolved as IN_DOUBT says; suppressions, cancellations and settings made since the backup are missing"
    )
    _log.warning("store.restored", backup_from=from_unix(float(made_at)).isoformat(), in_doubt=doubted, hint=hint)
