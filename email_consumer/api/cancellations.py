"""Cancels a topic: mail created or stored in the stream up to that moment that is not sent yet."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import structlog

from email_consumer.api import statements
from email_consumer.core.mail_queue import Backlog, MailQueue, Mark, QueueUnavailableError
from email_consumer.core.outcome import StopReason
from email_consumer.core.unsent import Unsent
from email_consumer.store.database import Database
from email_consumer.store.key_values import DELETE_VALUE, WRITE_VALUE, read_group
from email_consumer.store.status import Status
from email_consumer.web.routing import ApiModel
from email_consumer.web.times import Moment

_CLOCK_SKEW = 60.0
"""Clock skew in seconds that the previous version tolerated."""
_KEPT = 90 * 86_400.0
"""Seconds; SQS keeps a message for at most 14 days, and the stream's consumer shows its progress."""

_GROUP = 1_000
"""Mails that are stopped at once, which takes 15 ms, or a few times that with events out and copied rows."""
_UNFINISHED = "cancelling:"
"""Prefix of the names of values, before the topic in hex digits: the last row of a cancellation whose mail is not all stopped
yet."""

_log = structlog.get_logger(__name__)

Apply = Callable[[str, Mark], None]
Forget = Callable[[Callable[[Mark], bool]], None]


class Receipt(ApiModel):
    """The effect of all cancellations of a topic.

    Exact for mail from the API; mail from NATS counts as it is pulled, until the receipt is final.
    """

    topic_id: str
    cancelled: int
    sent: int
    in_flight: int
    """Being sent or in doubt, so it may still go out or have gone out. With several workers, an upper bound, while NATS responds."""
    failed: int
    final: bool
    """Nothing covered by the cancellation is left in the stream or in flight."""
    cancelled_at: Moment
    known: bool
    """Whether any mail of the topic is recorded. Mail that is only in the stream is cancelled all the same."""


class Cancellations:
    def __init__(
        self,
        database: Database,
        queue: MailQueue,
        apply: Apply,
        publishing_paused: Callable[[], AbstractAsyncContextManager[None]],
        *,
        unsent: Unsent,
        claims_visible: bool,
        forget: Forget = lambda _: None,
    ) -> None:
        """Store what a cancellation needs.

        Args:
            database: holds mail that is not published yet.
            queue: holds the published mail.
            apply: takes topic and mark; once it returns, no mail of the topic stored before the mark can be claimed.
            publishing_paused: pauses publishing from the database for its duration.
            unsent: counts what is stopped here; the rest is counted on delivery.
            claims_visible: whether the tables show each claim; if not, everything delivered counts as in flight.
            forget: forgets those cancellations that are over, among all that the workers know.
        """
        self._database = database
        self._queue = queue
        self._apply = apply
        self._publishing_paused = publishing_paused
        self._unsent = unsent
        self._claims_visible = claims_visible
        self._forget = forget

    async def load(self) -> None:
        """Apply earlier cancellations; to be called before mail is pulled.

        Cancellations that can't cover future deliveries are deleted after 90 days.

        Raises:
            QueueUnavailableError: the stream did not respond.
        """
        mark = await self._queue.mark()
        try:
            backlog = await self._queue.backlog()
        except QueueUnavailableError:  # the first worker has not created its consumer yet
            backlog = Backlog(ack_floor=0, unsettled=1, delivered=0)
        here = {"stream": mark.stream, "sequence": mark.sequence, "made_at": _made_at(mark), "skew": _CLOCK_SKEW}
        settled = {"settled": max(backlog.ack_floor, 0), "nothing_left": not backlog.unsettled}
        async with self._database.transaction() as connection:
            await connection.execute(statements.ADOPT_CANCELLATIONS, here)
            before = time.time() - _KEPT
            await connection.execute(statements.FORGET_CANCELLATIONS, here | settled | {"before": before})

        def over(cancelled: Mark) -> bool:  # by the same rule; a new file does not know all that the workers know
            gone = cancelled.stream not in (None, mark.stream)
            return cancelled.before < before and (
                gone or cancelled.sequence <= backlog.ack_floor or not backlog.unsettled
            )

        self._forget(over)
        for row in await self._database.fetch(statements.CANCELLATIONS):
            self._apply(row["topic_id"], Mark(row["stream"], row["sequence"], row["before"]))
        for name, last in (await read_group(self._database, _UNFINISHED)).items():
            await self._stop(bytes.fromhex(name.removeprefix(_UNFINISHED)).decode(), int(last))

    async def cancel(self, topic_id: str) -> Receipt:
        """Cancel, or cancel again to cover what came since.

        Raises:
            QueueUnavailableError: the stream did not respond; nothing is cancelled.
        """
        async with self._publishing_paused():  # or unpublished mail could get a sequence after the mark
            mark = await self._queue.mark()
            async with self._database.transaction() as connection:
                place = {"stream": mark.stream, "sequence": mark.sequence, "before": mark.before, "now": time.time()}
                await connection.execute(statements.NOTE_CANCELLATION, {"topic_id": topic_id} | place)
                ((last,),) = await connection.execute_fetchall(statements.LAST_MAIL)
                await connection.execute(WRITE_VALUE, (_unfinished(topic_id), str(last)))
            # Still before any other write: claims made so far are counted as in flight, and none can follow.
            self._apply(topic_id, mark)
            await self._stop(topic_id, last)
            await asyncio.sleep(mark.past_in)  # mail stored after our response is later mail and must pass
        receipt = await self.receipt(topic_id)
        assert receipt is not None  # noqa: S101 - just written
        _log.info("topic.cancelled", **receipt.model_dump(exclude={"cancelled_at"}))
        return receipt

    async def _stop(self, topic_id: str, last: int) -> None:
        """Stop the topic's stored mail up to the row `last`, some at a time: of a million, others would wait for half a minute."""
        values = {
            "topic_id": topic_id,
            "last": last,
            "most": _GROUP,
            "now": time.time(),
            "error": str(StopReason.CANCELLED),
        }
        stopped = _GROUP
        while stopped == _GROUP:  # between two groups it is the turn of those who wait
            async with self._database.transaction() as connection:
                mails = list(await connection.execute_fetchall(statements.STOP_TOPIC, values))
                stopped = len(mails)
                if stopped < _GROUP:
                    await connection.execute(DELETE_VALUE, (_unfinished(topic_id),))
            self._unsent.count(StopReason.CANCELLED, sum(mail["unpublished"] for mail in mails))

    async def receipt(self, topic_id: str) -> Receipt | None:
        """The current state; None if the topic was never cancelled."""
        noted = await self._database.fetch(statements.RECEIPT, (topic_id,))
        if not noted:
            return None
        # Before the counts: they include whatever is settled by now.
        settled, unseen = await self._settled(noted[0]["stream"], noted[0]["sequence"])
        rows = await self._database.fetch(statements.RECEIPT, (topic_id,))
        counts = {row["status"]: row["count"] for row in rows}
        in_flight = counts.get(Status.PROCESSED, 0) + unseen
        return Receipt(
            topic_id=topic_id,
            cancelled=rows[0]["cancelled"],
            sent=counts.get(Status.SENT, 0),
            in_flight=in_flight,
            failed=counts.get(Status.FAILED, 0),
            final=settled and not in_flight,
            cancelled_at=rows[0]["cancelled_at"],
            known=any(counts.values()),
        )

    async def _settled(self, stream: str, sequence: int) -> tuple[bool, int]:
        """Whether all mail up to the sequence is settled; how much may be in flight that the tables don't show."""
        try:
            backlog = await self._queue.backlog()
        except QueueUnavailableError:
            return False, 0
        gone = backlog.stream != stream  # and so is its mail
        settled = gone or backlog.ack_floor >= sequence or not backlog.unsettled
        return settled, 0 if settled or self._claims_visible else backlog.delivered


def _unfinished(topic_id: str) -> str:
    return _UNFINISHED + topic_id.encode().hex()


def _made_at(mark: Mark) -> float:
    """When a stream was created (Unix seconds, NATS's clock); the mark identifies a stream by that time."""
    return datetime.fromisoformat(mark.stream).timestamp() if mark.stream else 0.0
