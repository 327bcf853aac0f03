"""Mail in the queue that no worker has looked at: the tables don't know it, nor its uuid or topic."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from email_consumer.core.mail_queue import MailQueue, QueueUnavailableError

Unseen: TypeAlias = Callable[[], Awaitable[int | None]]
"""How much there is; None: the queue does not respond."""


def unseen_in(queue: MailQueue, *, claims_visible: bool) -> Unseen:
    """`claims_visible`: whether the tables show each claim; if not, what is delivered counts as unseen, too."""

    async def count() -> int | None:
        try:
            backlog = await queue.backlog()
        except QueueUnavailableError:
            return None
        return backlog.unsettled - (backlog.delivered if claims_visible else 0)

    return count
