"""The endpoints: kept in the database, known in memory."""

import time
from collections.abc import Callable

import orjson
import structlog

from email_consumer.core.metrics import Metrics
from email_consumer.store.database import Database
from email_consumer.webhooks import statements
from email_consumer.webhooks.destination import check_url
from email_consumer.webhooks.endpoint import OVERLAP, Endpoint, Format, as_names, new_id, new_secret

MOST = 100
"""Endpoints: each event is written once for each that wants it."""

_log = structlog.get_logger(__name__)


class TooManyEndpointsError(Exception):
    """There are as many as there may be."""


class Endpoints:
    """`load` it first. All methods may raise `sqlite3.OperationalError`: then nothing was changed."""

    def __init__(self, database: Database, metrics: Metrics, *, allow_private: bool) -> None:
        self.database = database
        self._metrics = metrics
        self._allow_private = allow_private
        self._known: dict[str, Endpoint] = {}
        self.when_changed: Callable[[], None] = lambda: None
        """Called after an endpoint was added, removed, enabled or disabled."""

    async def load(self) -> None:
        found = [Endpoint.of(row) for row in await self.database.fetch(statements.ENDPOINTS)]
        self._known = {endpoint.id: endpoint for endpoint in found}
        self._metrics.webhooks_disabled = sum(endpoint.disabled_at is not None for endpoint in found)
        self.when_changed()

    @property
    def all(self) -> list[Endpoint]:
        return list(self._known.values())

    def get(self, endpoint_id: str) -> Endpoint | None:
        return self._known.get(endpoint_id)

    async def add(
        self,
        url: str,
        types: frozenset[str] | None,
        topics: frozenset[str] | None,
        lane: str | None,
        form: Format = "standard",
    ) -> Endpoint:
        """A new endpoint, with its secret.

        Raises:
            ValueError: the URL can't be one; the text says why.
            TooManyEndpointsError: remove one first.
        """
        check_url(url, allow_private=self._allow_private)
        if len(self._known) >= MOST:
            raise TooManyEndpointsError(f"there are {MOST} endpoints already")
        new = {"id": new_id(), "url": url, "types": as_names(types), "topics": as_names(topics), "lane": lane}
        more = {"format": form, "secret": new_secret(), "created_at": time.time()}
        await self._write(statements.ADD_ENDPOINT, {**new, **more})
        _log.info("webhooks.added", endpoint=new["id"])
        return self._known[str(new["id"])]

    async def remove(self, endpoint: Endpoint) -> None:
        """With all its deliveries, a few at a time; an attempt that is under way is the last."""
        await self._write(statements.DISABLE, {"id": endpoint.id, "now": time.time(), "reason": "it is being removed"})
        while await self._write(statements.DELETE_DELIVERIES, {"id": endpoint.id}):
            pass
        await self._write(statements.REMOVE_ENDPOINT, {"id": endpoint.id})
        _log.info("webhooks.removed", endpoint=endpoint.id)

    async def rotate(self, endpoint: Endpoint) -> Endpoint:
        """Give it a new secret; the former one signs, too, for a day."""
        until = time.time() + OVERLAP
        await self._write(statements.ROTATE, {"id": endpoint.id, "secret": new_secret(), "until": until})
        return self._known[endpoint.id]

    async def fails(self, endpoint: Endpoint, now: float, error: str) -> None:
        """An attempt failed, the first one after a success."""
        if await self._write(statements.FAILS, {"id": endpoint.id, "now": now}):
            _log.warning("webhooks.failing", endpoint=endpoint.id, error=error)

    async def works(self, endpoint: Endpoint) -> None:
        """An attempt succeeded, the first one after a failure."""
        await self._write(statements.WORKS, {"id": endpoint.id})

    async def disable(self, endpoint: Endpoint, reason: str) -> None:
        """Its events wait from now on."""
        if not await self._write(statements.DISABLE, {"id": endpoint.id, "now": time.time(), "reason": reason}):
            return
        hint = "its events wait; enable it with `email-consumer webhooks enable`"
        _log.error("webhooks.disabled", endpoint=endpoint.id, reason=reason, hint=hint)

    async def enable(self, endpoint: Endpoint) -> None:
        await self._write(statements.ENABLE, {"id": endpoint.id})
        _log.info("webhooks.enabled", endpoint=endpoint.id)

    async def resend(self, endpoint: Endpoint, since: float, delivery: int | None, *, delivered: bool) -> int:
        """Make deliveries due: those since that time (Unix seconds), or the one with that id; returns their number."""
        count, after = 0, 0
        wanted: dict[str, object] = {
            "endpoint": endpoint.id,
            "since": since,
            "delivery": delivery,
            "delivered": delivered,
        }
        while rows := await self.database.fetch(statements.TO_RESEND, wanted | {"after": after}):
            after = rows[-1]["id"]
            ids = orjson.dumps([row["id"] for row in rows if row["wanted"]]).decode()
            async with self.database.transaction() as connection:
                values = {"ids": ids, "endpoint": endpoint.id, "now": time.time()}
                count += (await connection.execute(statements.RESEND, values)).rowcount
        return count

    async def _write(self, sql: str, values: dict[str, object]) -> bool:
        """Whether that changed anything."""
        async with self.database.transaction() as connection:
            changed = (await connection.execute(sql, values)).rowcount > 0
        await self.load()
        return changed
