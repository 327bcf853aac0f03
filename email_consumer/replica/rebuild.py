"""Makes the sidecar's SQLite file again from what JetStream holds of its rows."""

from pathlib import Path

import msgpack
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from email_consumer.replica.capture import tables
from email_consumer.replica.stream import stream_name
from email_consumer.store.database import Database, open_database

_AT_ONCE = 500
_PATIENCE = 10.0


class RebuildError(Exception):
    """The file can't be made again; in plain words."""


async def rebuild(path: Path, client: Client, *, stream: str) -> int:
    """Write a new file at `path`; how many rows it has. It is there once it is complete.

    Raises:
        RebuildError: there is a file already, nothing to make it from, or no answer.
        StoreError: the file can't be written.
    """
    if _exists(path):
        raise RebuildError(f"DB_PATH: {path} is there already; stop the sidecar and move the file away first")
    jetstream = client.jetstream()
    try:
        held = (await jetstream.stream_info(stream_name(stream))).state
    except NotFoundError:
        raise RebuildError(
            f"JetStream holds no copy of the rows (stream {stream_name(stream)}); LEDGER=jetstream keeps one"
        ) from None
    unfinished = path.with_name(f"{path.name}.rebuilding")
    _delete(unfinished)  # of a rebuild that was cut off
    try:
        rows = await _read_into(unfinished, jetstream, stream, held.messages)
    except (NatsError, TimeoutError) as error:
        raise RebuildError(f"JetStream gave no answer ({error!r}); nothing is lost, run it again") from None
    unfinished.rename(path)
    _delete(unfinished)
    return rows


async def _read_into(path: Path, jetstream: JetStreamContext, stream: str, left: int) -> int:
    # A row comes where it was last changed: after rows that refer to it, and any number of others in between.
    async with open_database(path, foreign_keys="OFF") as database:
        subscription = await jetstream.subscribe(
            f"{stream_name(stream)}.>",
            ordered_consumer=True,
            config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL),
            pending_msgs_limit=-1,
            pending_bytes_limit=-1,
        )
        rows = 0
        batch: list[tuple[str, dict[str, object]]] = []
        triggers = await _drop_triggers(database)  # the sums they keep are copied too
        while left:
            message = await subscription.next_msg(timeout=_PATIENCE)
            left = message.metadata.num_pending
            if message.data:
                batch.append((message.subject.split(".")[-2], msgpack.unpackb(message.data)))
            if len(batch) >= _AT_ONCE or not left:
                rows += await _insert(database, batch)
                batch = []
        await subscription.unsubscribe()
        async with database.transaction() as connection:
            for trigger in triggers:
                await connection.execute(trigger)
    return rows


def _exists(path: Path) -> bool:
    return path.exists()


def _delete(path: Path) -> None:
    """With all that SQLite and the lock put beside it."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


async def _drop_triggers(database: Database) -> list[str]:
    triggers = await database.fetch("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    async with database.transaction() as connection:
        for trigger in triggers:
            await connection.execute(f"DROP TRIGGER {trigger['name']}")
        for table in await tables(connection):  # such as a ledger's identity that was made at the opening
            await connection.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own tables
    return [trigger["sql"] for trigger in triggers]


async def _insert(database: Database, batch: list[tuple[str, dict[str, object]]]) -> int:
    async with database.transaction() as connection:
        for table, row in batch:
            names, values = ", ".join(row), ", ".join("?" * len(row))
            await connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({values})", tuple(row.values()))  # noqa: S608 - names of our own tables
    return len(batch)
