"""Each source's dead letters in their own place."""

from collections.abc import Mapping

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.delivery import Original
from email_consumer.core.mail_queue import lane_of
from email_consumer.message.lane import Lane


class DeadLettersBySource:
    """See `email_consumer.core.dead_letters.DeadLetterStore`."""

    def __init__(self, stores: Mapping[tuple[str, Lane], DeadLetterStore]) -> None:
        """`stores` by `Original.source` and lane; a source without a lane of transactional mail has that of bulk mail."""
        self._stores = stores

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        await self._of(original).store(original, kind, reason, attempts)

    def _of(self, original: Original) -> DeadLetterStore:
        bulk = self._stores[original.source, Lane.BULK]
        if lane_of(original.headers) is Lane.TRANSACTIONAL:
            return self._stores.get((original.source, Lane.TRANSACTIONAL), bulk)
        return bulk
