"""The stream of the claims bucket: created, closed for a refill, opened again, and its state.

A bucket that lost its records must not accept claims before they are restored. So the sidecar creates it closed: the stream
then only listens on refill subjects, and stores what it receives there under the bucket's keys. Claims written meanwhile
are not stored, whatever the version of the worker. The mark, a key that no mail can have, is written last; then the stream
gets its normal subjects.
"""

import time
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from email_consumer.jetstream.api import ask
from email_consumer.ledgers.jetstream.streams import LedgerStreamError, Names

_MARK = "bucket.whole"  # tags of mails contain no dot
_FIRST = "bucket.first"
_REFILLED, _ADOPTED = b'{"refilled":true}', b'{"refilled":false}'
"""The mark's values, compared and never parsed: others can write to the bucket, too."""
_NO_SUCH_STREAM = 10059
_NEEDED = {"allow_msg_ttl": True, "deny_delete": True, "deny_purge": True, "allow_rollup_hdrs": False}
"""Records expire one by one, and nobody can empty the bucket by mistake; `nats kv del` can still delete a single one."""


@dataclass(frozen=True, slots=True)
class BucketState:
    """The state of the claims bucket."""

    exists: bool = False
    is_open: bool = False
    """Whether it accepts claims."""
    marked_at: int = 0
    """Revision of its mark, 0 without one. Records with smaller revisions were written before or during the refill."""
    refilled: bool = False
    """Whether it was ever refilled; otherwise the mark only says that the sidecar knows the bucket."""
    last: int = 0
    """Its highest revision so far."""

    @property
    def whole(self) -> bool:
        return self.is_open and self.marked_at > 0


class ClaimsStream:
    """All methods raise nats.errors.Error if JetStream refuses or does not respond."""

    def __init__(self, client: Client, stream: str) -> None:
        """`stream` is the mail stream."""
        self._client = client
        self._jetstream = client.jetstream()
        self.names = Names(stream)

    async def state(self) -> BucketState:
        """Read the current state."""
        try:
            info = await self._info()
            raw = await self._jetstream.get_msg(self.names.bucket_stream, subject=self.names.key(_MARK))
        except NotFoundError as error:
            if is_gone(error):
                return BucketState()
            return BucketState(exists=True, is_open=self._is_open(info["config"]))
        last = max(info["state"]["last_seq"], raw.seq or 0)
        return BucketState(True, self._is_open(info["config"]), raw.seq or 0, raw.data == _REFILLED, last)

    async def is_open(self) -> bool:
        """Whether it exists and accepts claims."""
        try:
            return self._is_open(await self._config())
        except NotFoundError:
            return False

    async def create(self, *, replicas: int, above: int = 0) -> None:
        """Create it, empty and closed. Its revisions start above `above`, since rows refer to revisions.

        Raises:
            LedgerStreamError: this server does not support it.
        """
        config = {
            "name": self.names.bucket_stream,
            "max_msgs_per_subject": 1,
            "storage": "file",
            "discard": "new",
            "retention": "limits",
            "num_replicas": replicas,
            # The revisions of a recreated bucket must exceed those of the previous one.
            "first_seq": max(int(time.time() * 1e6), above + 1),
        }
        await self._require_ttl("CREATE", config | self._closed())

    async def close(self) -> None:
        """Close it; its content stays.

        Raises:
            LedgerStreamError: this server does not support it.
        """
        await self._require_ttl("UPDATE", await self._config() | self._closed())

    async def delete(self) -> None:
        """Delete it, so that a new one is created: claims fail meanwhile, and its revisions are not used again."""
        await ask(self._client, f"STREAM.DELETE.{self.names.bucket_stream}")

    async def begin(self) -> None:
        """Let no message that has to stay be the first one. Call this before a new bucket is filled.

        nats-server before 2.11.2 empties a stream when it restarts while the first message has the sequence number that the
        stream was created with (nats-io/nats-server#6753): all claims would be forgotten.
        """
        for _ in range(2):  # the second replaces the first
            await self._jetstream.publish(await self.subject(_FIRST), b"{}")

    async def open(self) -> None:
        """Let it accept claims."""
        await self._update({"subjects": [self.names.key(">")], "subject_transform": None})

    async def secure(self) -> None:
        """Protect a bucket created by a previous version from being emptied by one command, or by a restart (see `begin`)."""
        config = await self._config()
        if (await self.state()).marked_at == config.get("first_seq"):
            await self.mark(refilled=False)  # written before all records, so none was refilled
        if any(config.get(name, False) != wanted for name, wanted in _NEEDED.items()):
            await self._update(_NEEDED)

    async def mark(self, *, refilled: bool) -> None:
        """Mark it as complete."""
        await self._jetstream.publish(await self.subject(_MARK), _REFILLED if refilled else _ADOPTED)

    async def subject(self, key: str) -> str:
        """The subject for writing a key in the current state."""
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
                f"bucket {self.names.bucket!r} does not support a TTL per message: LEDGER=jetstream needs nats-server 2.11 or newer"
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
    """Whether the stream itself is missing rather than a message in it."""
    return error.err_code == _NO_SUCH_STREAM
