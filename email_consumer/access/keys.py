"""The stored keys: kept in the database as digests, known in memory."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import orjson
import structlog

from email_consumer.message.lane import Lane
from email_consumer.store.database import Database
from email_consumer.web.api_keys import key_digest
from email_consumer.web.grant import Grant, Limits, Scope, scope_names

MOST = 1_000
_PREFIX = "eck_"
"""Lets people and secret scanners recognize a key."""
_HINT = 10
"""Characters of a key that are shown later; six of them are random, of 43."""
_EVERY = 60.0
"""Seconds between two writes of when keys were last used."""

_KEYS = "SELECT * FROM api_keys ORDER BY created_at, id"
_ADD = """
INSERT INTO api_keys (id, name, digest, hint, scopes, topics, senders, lane, tenant, created_at, expires_at)
VALUES (:id, :name, :digest, :hint, :scopes, :topics, :senders, :lane, :tenant, :created_at, :expires_at)
"""
_REMOVE = "DELETE FROM api_keys WHERE id = ?"
_USED = "UPDATE api_keys SET last_used_at = :at WHERE id = :id"

_log = structlog.get_logger(__name__)


class TooManyKeysError(Exception):
    """There are as many as there may be."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """Times are Unix seconds."""

    grant: Grant
    hint: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None


class Keys:
    """`load` it first; `run` it to record when keys are used. Methods that write may raise `sqlite3.OperationalError`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_id: dict[str, StoredKey] = {}
        self._by_digest: dict[bytes, StoredKey] = {}
        self._used: dict[str, float] = {}
        """When keys were used, by id (Unix seconds), as far as that is not written yet."""

    async def load(self) -> None:
        rows = await self._database.fetch(_KEYS)
        self._by_id = {row["id"]: _stored_key(row) for row in rows}
        self._by_digest = {bytes(row["digest"]): self._by_id[row["id"]] for row in rows}

    @property
    def all(self) -> list[StoredKey]:
        """The oldest first."""
        return list(self._by_id.values())

    def find(self, digest: bytes) -> Grant | None:
        """The grant of the key with this digest, unless it has expired; counts as a use."""
        found = self._by_digest.get(digest)
        if found is None or _expired(found):
            return None
        self._used[found.grant.key_id] = time.time()
        return found.grant

    def current(self, key_id: str) -> bool:
        """Whether a key has neither expired nor been removed."""
        found = self._by_id.get(key_id)
        return found is not None and not _expired(found)

    async def add(
        self, name: str, scopes: Sequence[Scope], limits: Limits, expires_at: float | None
    ) -> tuple[StoredKey, str]:
        """Make a key: what is stored of it, and the key itself, which nobody can get again.

        Raises:
            TooManyKeysError: remove one first.
        """
        if len(self._by_id) >= MOST:
            raise TooManyKeysError(f"there are {MOST:,} keys already")
        key, key_id = _PREFIX + secrets.token_urlsafe(32), f"key_{uuid4().hex[:16]}"
        values = {
            "id": key_id,
            "name": name,
            "digest": key_digest(key),
            "hint": key[:_HINT],
            "scopes": orjson.dumps(scope_names(scopes)).decode(),
            "topics": orjson.dumps(limits.topics).decode(),
            "senders": orjson.dumps(sorted(limits.senders)).decode(),
            "lane": limits.lane,
            "tenant": limits.tenant,
            "created_at": time.time(),
            "expires_at": expires_at,
        }
        async with self._database.transaction() as connection:
            await connection.execute(_ADD, values)
        await self.load()
        _log.info("keys.added", key=key_id, scopes=scope_names(scopes))
        return self._by_id[key_id], key

    async def remove(self, key_id: str) -> StoredKey | None:
        """Remove a key, which grants nothing from now on; returns what was stored of it, if it existed."""
        found = self._by_id.get(key_id)
        if found is None:
            return None
        async with self._database.transaction() as connection:
            await connection.execute(_REMOVE, (key_id,))
        await self.load()
        _log.info("keys.removed", key=key_id)
        return found

    async def run(self) -> None:
        """Write when keys were used, once a minute, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.write_uses()
            except sqlite3.OperationalError as error:
                _log.debug("keys.uses_not_written", error=str(error))  # the next round has them

    async def write_uses(self) -> None:
        """Write when keys were used since the last time."""
        used = dict(self._used)
        if not used:
            return
        async with self._database.transaction() as connection:
            await connection.executemany(_USED, [{"id": key_id, "at": at} for key_id, at in used.items()])
        for key_id, at in used.items():
            if self._used[key_id] == at:
                del self._used[key_id]
        await self.load()


def _expired(key: StoredKey) -> bool:
    return key.expires_at is not None and key.expires_at <= time.time()


def _stored_key(row: sqlite3.Row) -> StoredKey:
    limits = Limits(
        tuple(orjson.loads(row["topics"])),
        Lane(row["lane"]) if row["lane"] else None,
        row["tenant"],
        frozenset(orjson.loads(row["senders"])),
    )
    grant = Grant(row["id"], row["name"], frozenset(map(Scope, orjson.loads(row["scopes"]))), limits)
    return StoredKey(grant, row["hint"], row["created_at"], row["expires_at"], row["last_used_at"])
