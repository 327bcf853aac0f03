"""Each source's dead letters in their own place."""

from collections.abc import Mapping

from email_consumer.core.dead_letters import DeadLetterStore
from email_consumer.core.delivery import Original


class DeadLettersBySource:
    """See `email_consumer.core.dead_letters.DeadLetterStore`."""

    def __init__(self, stores: Mapping[str, DeadLetterStore]) -> None:
        """`stores` by `Original.source`."""
        self._stores = stores

    async def store(self, original: Original, kind: str, reason: str, attempts: int) -> None:
        await self._stores[original.source].store(original, kind, reason, attempts)
