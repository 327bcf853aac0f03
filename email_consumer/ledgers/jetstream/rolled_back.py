"""Notices that nats-server was killed and came back without the newest records of the claims bucket.

A server acknowledges a record before it is on its disk. What it lost is unknown then, and its revisions are given again: the tables
would take new outcomes for old ones. So the newest outcomes in the tables, and what SES's events proved, are compared with the bucket
after each reconnect.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from cachetools import LRUCache

from email_consumer.ledgers.jetstream.bucket import ClaimBucket

_MOST = 500
"""Outcomes that are compared: a server loses what it got last."""
_FOLLOWS = 10.0
"""Seconds after a reconnect in which outcomes from before it may still arrive."""
_PATIENCE = 5.0


class RolledBack:
    """`add` all outcomes, `expect` other records, and ask `noticed` regularly."""

    def __init__(self, bucket: ClaimBucket, reconnects: Mapping[str, int], idempotency_ttl: float) -> None:
        """`reconnects`: nats-py's statistics of the connection. `idempotency_ttl`: seconds after which records expire."""
        self._bucket = bucket
        self._statistics = reconnects
        self._longest = idempotency_ttl / 2
        self._reconnects = reconnects["reconnects"]
        self._reconnected_at = float("-inf")
        self._newest: LRUCache[str, tuple[int, float]] = LRUCache(_MOST)
        """By tag: the revision, and when it was added (monotonic clock)."""
        self._unchecked: dict[str, tuple[int, float]] = {}

    def add(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Outcomes that are in the tables by now."""
        for entry in entries:
            if not entry["conflict"]:  # the record is another mail's
                self.expect(entry["tag"] or entry["uuid"], entry["revision"])

    def expect(self, tag: str, revision: int) -> None:
        """A record that must be in the bucket, or a newer one of the mail."""
        now = time.monotonic()
        self._newest[tag] = max(self._newest.get(tag, (0, 0.0)), (revision, now))
        if now < self._reconnected_at + _FOLLOWS:
            self._unchecked[tag] = self._newest[tag]

    def forget(self) -> None:
        """The bucket is made again; revisions of the new one are greater than all before."""
        self._newest.clear()
        self._unchecked.clear()

    async def noticed(self) -> bool:
        """Whether the bucket lacks a record that the tables show.

        Raises:
            LedgerBlockedError: JetStream does not answer in time; ask again.
        """
        now = time.monotonic()
        if self._reconnects != (reconnects := self._statistics["reconnects"]):
            self._reconnects, self._reconnected_at = reconnects, now
            self._unchecked = dict(self._newest)
        unchecked, self._unchecked = self._unchecked, {}
        asked = {tag: revision for tag, (revision, at) in unchecked.items() if now - at < self._longest}
        until = asyncio.get_running_loop().time() + _PATIENCE
        try:
            found = await asyncio.gather(*(self._bucket.read(tag, until) for tag in asked))
        except BaseException:
            self._unchecked = unchecked | self._unchecked  # with what was added meanwhile
            raise
        return any(entry.revision < revision for entry, revision in zip(found, asked.values(), strict=True))
