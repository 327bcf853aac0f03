"""Cancelling a topic: what is not sent yet and was created, or stored in the stream, up to that moment."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import structlog

from email_consumer.core.mail_queue import Backlog, MailQueue, Mark, QueueUnavailableError
from email_consumer.core.outcome import StopReason
from email_consumer.core.unsent import Unsent
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from email_consumer.web.routing import ApiModel
from email_consumer.web.times import Moment

_NOTE = """
INSERT INTO cancellations (topic_id, stream, sequence, stored_before, cancelled_at)
VALUES (:topic_id, :stream, :sequence, :before, :now)
ON CONFLICT (topic_id) DO UPDATE
SET stream = excluded.stream, sequence = excluded.sequence, stored_before = excluded.stored_before,
    cancelled_at = excluded.cancelled_at
"""
# Each row moves the sums of its topic and of its cancellation by trigger.
_STOP = """
UPDATE email_requests SET status = 4, error = :error, finished_at = :now, updated_at = :now
WHERE topic_id = :topic_id AND status = 0
"""
_IN_OUR_KEEPING = """
SELECT count(*) FROM email_requests
WHERE topic_id = ? AND status = 0 AND published_at IS NULL AND content_id IS NOT NULL
"""
# One statement, so that all numbers are of the same moment.
_COUNTS = """
SELECT stream, sequence, cancelled_at, cancelled, status, count
FROM cancellations LEFT JOIN topic_counts USING (topic_id) WHERE topic_id = ?
"""
# What the version before noted belongs to this stream, unless that has not come so far yet, or was made later: then it
# belongs to one that is gone, and stops no mail of this one.
_ADOPT = """
UPDATE cancellations
SET (stream, sequence) = (
    SELECT :stream, sequence WHERE sequence <= :sequence AND cancelled_at + :skew >= :made_at UNION ALL SELECT '', 0 LIMIT 1
)
WHERE stream IS NULL
"""
_CLOCK_SKEW = 60.0
"""Seconds by which the version before let clocks differ."""
_KEPT = 90 * 86_400.0
"""Seconds; SQS keeps no message for longer than 14 days, and the stream's consumer tells how far it has come."""
_FORGET = """
DELETE FROM cancellations
WHERE cancelled_at < :before AND (stream <> :stream OR sequence <= :settled OR :nothing_left)
"""
_ALL = "SELECT topic_id, stream, sequence, coalesce(stored_before, cancelled_at) AS before FROM cancellations"

_log = structlog.get_logger(__name__)

Apply = Callable[[str, Mark], None]


class Receipt(ApiModel):
    """What became of a topic's mail, all its cancellations together.

    Exact for mail of the API; mail that came over NATS counts as it is pulled, until the receipt is final.
    """

    topic_id: str
    cancelled: int
    sent: int
    in_flight: int
    """In hand at this moment, or in doubt: it may still be sent, or has been. Over several workers: at the most."""
    failed: int
    final: bool
    """Nothing that the cancellation covers is left in the stream or in hand."""
    cancelled_at: Moment
    known: bool
    """Whether mail of the topic is in the tables. If not, it may still lie in the stream, and is cancelled there."""


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
    ) -> None:
        """Take what a cancellation has to reach.

        Args:
            database: holds the mail in our keeping.
            queue: holds the rest.
            apply: takes topic and moment: from its return on, no mail of the topic that was stored before may be claimed.
            publishing_paused: while it lasts, no mail goes from our keeping into the queue.
            unsent: counts what is stopped in our keeping; the rest is counted where it is delivered.
            claims_visible: whether the tables show each claim; if not, whatever was delivered counts as in flight.
        """
        self._database = database
        self._queue = queue
        self._apply = apply
        self._publishing_paused = publishing_paused
        self._unsent = unsent
        self._claims_show = claims_visible

    async def load(self) -> None:
        """Apply what was cancelled before this start; to be called before mail is pulled.

        What can't cover any mail that is still to come is forgotten after a season.

        Raises:
            QueueUnavailableError: the stream gave no answer.
        """
        mark = await self._queue.mark()
        try:
            backlog = await self._queue.backlog()
        except QueueUnavailableError:  # as before the first worker has made its consumer
            backlog = Backlog(ack_floor=0, unsettled=1, delivered=0)
        here = {"stream": mark.stream, "sequence": mark.sequence, "made_at": _made_at(mark), "skew": _CLOCK_SKEW}
        settled = {"settled": max(backlog.ack_floor, 0), "nothing_left": not backlog.unsettled}
        async with self._database.transaction() as connection:
            await connection.execute(_ADOPT, here)
            await connection.execute(_FORGET, here | settled | {"before": time.time() - _KEPT})
        for row in await self._database.fetch(_ALL):
            self._apply(row["topic_id"], Mark(row["stream"], row["sequence"], row["before"]))

    async def cancel(self, topic_id: str) -> Receipt:
        """Cancelling again is no error: it covers what came since.

        Raises:
            QueueUnavailableError: the stream gave no answer; nothing is cancelled.
        """
        async with self._publishing_paused():  # or mail from our keeping could come to lie behind `sequence`
            mark = await self._queue.mark()
            async with self._database.transaction() as connection:
                place = {"stream": mark.stream, "sequence": mark.sequence, "before": mark.before, "now": time.time()}
                await connection.execute(_NOTE, {"topic_id": topic_id} | place)
                ((kept,),) = await connection.execute_fetchall(_IN_OUR_KEEPING, (topic_id,))
                values = {"topic_id": topic_id, "now": time.time(), "error": str(StopReason.CANCELLED)}
                await connection.execute(_STOP, values)
            self._unsent.count(StopReason.CANCELLED, kept)
            # Nobody else has had the writer's turn yet: claims made so far are counted as in flight, none comes after.
            self._apply(topic_id, mark)
            await asyncio.sleep(mark.past_in)  # what is stored after our answer is later mail, and passes
        receipt = await self.receipt(topic_id)
        assert receipt is not None  # noqa: S101 - just written
        _log.info("topic.cancelled", **receipt.model_dump(exclude={"cancelled_at"}))
        return receipt

    async def receipt(self, topic_id: str) -> Receipt | None:
        """As things stand now; None if the topic was never cancelled."""
        noted = await self._database.fetch(_COUNTS, (topic_id,))
        if not noted:
            return None
        # First: what is settled by now shows in the counts.
        settled, unseen = await self._settled(noted[0]["stream"], noted[0]["sequence"])
        rows = await self._database.fetch(_COUNTS, (topic_id,))
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
        """Whether all mail up to there is settled; how much may be in flight that the tables don't show."""
        try:
            backlog = await self._queue.backlog()
        except QueueUnavailableError:
            return False, 0
        gone = backlog.stream != stream  # and its mail with it
        settled = gone or backlog.ack_floor >= sequence or not backlog.unsettled
        return settled, 0 if settled or self._claims_show else backlog.delivered


def _made_at(mark: Mark) -> float:
    """When a stream was made, by NATS's clock in Unix seconds; its name among others of its name is that moment."""
    return datetime.fromisoformat(mark.stream).timestamp() if mark.stream else 0.0
