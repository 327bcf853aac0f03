"""Mail that no consumer takes, looked for in all sources now and then."""

import asyncio
import contextlib
from collections.abc import Collection

import structlog

from email_consumer.core.mail_queue import QueueUnavailableError, Unconsumed
from email_consumer.core.source import Source

_EVERY = 15.0

_log = structlog.get_logger(__name__)


class UnconsumedWatch:
    """Checks now and then; `found` is the result of the last check."""

    def __init__(self, sources: Collection[Source], every: float = _EVERY) -> None:
        """`every` in seconds."""
        self._sources = sources
        self._every = every
        self._found: dict[str, Unconsumed] = {}

    @property
    def found(self) -> Unconsumed:
        """In all sources together."""
        found = self._found.values()
        return Unconsumed(
            tuple(subject for each in found for subject in each.subjects), sum(each.others for each in found)
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for source in self._sources:
                with contextlib.suppress(QueueUnavailableError):  # others report that the server is gone
                    await self._check(source)
            await asyncio.sleep(self._every)

    async def _check(self, source: Source) -> None:
        before, found = self._found.get(source.name), await source.unconsumed()
        self._found[source.name] = found
        if found and not before:
            _log.warning(
                "queue.unconsumed",
                source=source.name,
                messages=found.messages,
                subjects=str(found),
                hint="no consumer takes these subjects, so nobody sends what lies there; publish to SUBJECT",
            )
