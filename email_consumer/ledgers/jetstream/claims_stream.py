"""The stream under the bucket of claims: made, closed for a refill, opened again, and what state it is in.

A bucket that lost its records must not take claims before it has them again. So the sidecar makes it closed: the stream
then listens on subjects of the refill alone, and files what comes there under the bucket's keys. A claim that is written
meanwhile is stored by nobody, whichever version of the worker writes it. The mark, a key that no mail can have, is written
last; then the stream gets its usual subjects.
"""

import time
from dataclasses import dataclass
from typing import Any

import orjson
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from email_consumer.jetstream.api import ask
from email_consumer.ledgers.jetstream.streams import LedgerStreamError, Names

_MARK = "bucket.whole"  # no mail's tag has a dot
_NO_SUCH_STREAM = 10059
_NEEDED = {"allow_msg_ttl": True, "deny_delete": True, "deny_purge": True, "allow_rollup_hdrs": False}
"""Records expire one by one, and nobody empties it by mistake. A single one can still be deleted, by `nats kv del`."""


@dataclass(frozen=True, slots=True)
class BucketState:
    """Of the bucket."""

    exists: bool = False
    is_open: bool = False
    """Takes claims."""
    marked_at: int = 0
    """The revision of its mark, 0 without one. What is older was written before the refill."""
    refilled: bool = False
    """It was lost once; else its mark says only that it is known."""

    @property
    def whole(self) -> bool:
        return self.is_open and self.marked_at > 0


class ClaimsStream:
    """All calls raise nats.errors.Error where JetStream gives no answer or refuses."""

    def __init__(self, client: Client, stream: str) -> None:
        """`stream` is the mail's."""
        self._client = client
        self._jetstream = client.jetstream()
        self.names = Names(stream)

    async def state(self) -> BucketState:
        """Ask."""
        try:
            config = await self._config()
            raw = await self._jetstream.get_msg(self.names.bucket_stream, subject=self.names.key(_MARK))
        except NotFoundError as error:
            if is_gone(error):
                return BucketState()
            return BucketState(exists=True, is_open=self._is_open(config))
        refilled = raw.data is not None and orjson.loads(raw.data) == {"refilled": True}
        return BucketState(True, self._is_open(config), raw.seq or 0, refilled)

    async def is_open(self) -> bool:
        """Whether it is there and takes claims."""
        try:
            return self._is_open(await self._config())
        except NotFoundError:
            return False

    async def create(self, *, replicas: int, above: int = 0) -> None:
        """Empty and closed. Its revisions begin above `above`: rows know which one they show.

        Raises:
            LedgerStreamError: this server can't do it.
        """
        config = {
            "name": self.names.bucket_stream,
            "max_msgs_per_subject": 1,
            "storage": "file",
            "discard": "new",
            "retention": "limits",
            "num_replicas": replicas,
            # A bucket that is made again must not fall behind the one before.
            "first_seq": max(int(time.time() * 1e6), above + 1),
        }
        await self._require_ttl("CREATE", config | self._closed())

    async def close(self) -> None:
        """What is in it stays.

        Raises:
            LedgerStreamError: this server can't do it.
        """
        await self._require_ttl("UPDATE", await self._config() | self._closed())

    async def open(self) -> None:
        """From here on workers go on."""
        await self._update({"subjects": [self.names.key(">")], "subject_transform": None})

    async def secure(self) -> None:
        """As a version before made it, it can be emptied by one command."""
        config = await self._config()
        if any(config.get(name, False) != wanted for name, wanted in _NEEDED.items()):
            await self._update(_NEEDED)

    async def mark(self, *, refilled: bool) -> None:
        """Say that it is whole."""
        await self._jetstream.publish(await self.subject(_MARK), orjson.dumps({"refilled": refilled}))

    async def subject(self, key: str) -> str:
        """By which a key's value comes into it at present."""
        return self.names.key(key) if await self.is_open() else self.names.refill(key)

    def _closed(self) -> dict[str, Any]:
        refill = self.names.refill(">")
        listens = {"subjects": [refill], "subject_transform": {"src": refill, "dest": self.names.key(">")}}
        return listens | _NEEDED

    def _is_open(self, config: dict[str, Any]) -> bool:
        return config["subjects"] != [self.names.refill(">")] and bool(config.get("allow_msg_ttl"))

    async def _require_ttl(self, verb: str, config: dict[str, Any]) -> None:
        made = await ask(self._client, f"STREAM.{verb}.{self.names.bucket_stream}", config)
        if not made["config"].get("allow_msg_ttl"):
            raise LedgerStreamError(
                f"bucket {self.names.bucket!r} takes no TTL per message: LEDGER=jetstream needs nats-server 2.11 or newer"
            )

    async def _update(self, changes: dict[str, Any]) -> None:
        config = {**await self._config(), **changes}
        await ask(self._client, f"STREAM.UPDATE.{self.names.bucket_stream}", config)

    async def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = (await self._info())["config"]
        return config

    async def _info(self) -> dict[str, Any]:
        return await ask(self._client, f"STREAM.INFO.{self.names.bucket_stream}")


def is_gone(error: NotFoundError) -> bool:
    """Whether it is the stream that isn't there, and not a message in it."""
    return error.err_code == _NO_SUCH_STREAM
