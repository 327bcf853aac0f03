"""The mail queues of several sources as one: mail is put into the first, and a moment is one in both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from email_consumer.core.mail_queue import Backlog, MailQueue, Mark


class JointMailQueue:
    """See `email_consumer.core.mail_queue.MailQueue`."""

    def __init__(self, first: MailQueue, *unordered: MailQueue) -> None:
        """`first` may number what it stores; of the others' mail the time tells what was stored before."""
        self._first = first
        self._unordered = unordered

    @property
    def max_payload(self) -> int:
        return self._first.max_payload

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        return await self._first.publish(messages)

    async def mark(self) -> Mark:
        others = [await queue.mark() for queue in self._unordered]
        return replace(
            await self._first.mark(),
            before=max(other.before for other in others),
            past_in=max(other.past_in for other in others),
        )

    async def backlog(self) -> Backlog:
        return await self._first.backlog()
