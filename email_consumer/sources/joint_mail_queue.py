"""The mail queues of two sources as one: mail is put into the first, and a moment is one in both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from email_consumer.core.mail_queue import Backlog, MailQueue, Mark


class JointMailQueue:
    """See `email_consumer.core.mail_queue.MailQueue`."""

    def __init__(self, first: MailQueue, unnumbered: MailQueue) -> None:
        """`first` numbers what it stores; of the other one's mail the time tells what was stored before."""
        self._first = first
        self._unnumbered = unnumbered

    @property
    def max_payload(self) -> int:
        return self._first.max_payload

    async def publish(self, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> list[int | Exception]:
        return await self._first.publish(messages)

    async def mark(self) -> Mark:
        other = await self._unnumbered.mark()
        return replace(await self._first.mark(), before=other.before, past_in=other.past_in)

    async def backlog(self) -> Backlog:
        return await self._first.backlog()
