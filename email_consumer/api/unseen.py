"""Mail in the queue that the tables don't know yet, nor its uuid or topic: it is known once it is claimed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from email_consumer.core.mail_queue import MailQueue, QueueUnavailableError

Unseen: TypeAlias = Callable[[], Awaitable[int | None]]
"""How much there is; None: the queue does not respond."""


def unseen_in(
    queue: MailQueue,
    *,
    claims_visible: bool,
    unclaimed: Callable[[], int] = lambda: 0,
    others: Sequence[MailQueue] = (),
) -> Unseen:
    """How much is counted of what was delivered depends on what is known of it.

    Args:
        queue: where mail is put that first came to us.
        claims_visible: whether the tables show each claim; if not, what is delivered counts as unseen, too.
        unclaimed: how many of those that were delivered wait for their turn.
        others: further queues, whose mail counts until it is settled.
    """

    async def count() -> int | None:
        try:
            backlog = await queue.backlog()
            elsewhere = sum([(await other.backlog()).unsettled for other in others])
        except QueueUnavailableError:
            return None
        known = max(0, backlog.delivered - unclaimed()) if claims_visible else 0
        return backlog.unsettled - known + elsewhere

    return count
