"""Cancelling a topic: what is not sent yet and was created, or stored in the stream, up to that moment."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog

from email_consumer.http import ApiModel
from email_consumer.mail_queue import Backlog, MailQueue, QueueUnavailableError
from email_consumer.outcome import StopReason
from email_consumer.sidecar.times import Moment
from email_consumer.store.database import Database
from email_consumer.store.status import Status

_NOTE = """
INSERT INTO cancellations (topic_id, sequence, cancelled_at) VALUES (:topic_id, :sequence, :now)
ON CONFLICT (topic_id) DO UPDATE SET sequence = excluded.sequence, cancelled_at = excluded.cancelled_at
"""
# Each row moves the sums of its topic and of its cancellation by trigger.
_STOP = """
UPDATE email_requests SET status = 4, error = :error, finished_at = :now, updated_at = :now
WHERE topic_id = :topic_id AND status = 0
"""
# One statement, so that all numbers are of the same moment.
_COUNTS = """
SELECT sequence, cancelled_at, cancelled, status, count
FROM cancellations LEFT JOIN topic_counts USING (topic_id) WHERE topic_id = ?
"""
# A sequence that the stream has not reached belongs to a stream that is gone; it must not stop mail of this one.
_RENEW = "UPDATE cancellations SET sequence = 0 WHERE sequence > ?"
_KEPT = 90 * 86_400.0
"""Seconds; SQS keeps no message for longer than 14 days, and the stream's consumer tells how far it has come."""
_FORGET = "DELETE FROM cancellations WHERE cancelled_at < :before AND (sequence <= :settled OR :nothing_left)"
_ALL = "SELECT topic_id, sequence, cancelled_at FROM cancellations"

_log = structlog.get_logger(__name__)

Apply = Callable[[str, int, float], None]


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
        claims_show: bool,
    ) -> None:
        """Take what a cancellation has to reach.

        Args:
            database: holds the mail in our keeping.
            queue: holds the rest.
            apply: takes topic, sequence and time (Unix seconds): from its return on, no such mail may be claimed.
            publishing_paused: while it lasts, no mail goes from our keeping into the queue.
            claims_show: whether the tables show each claim; if not, whatever was delivered counts as in flight.
        """
        self._database = database
        self._queue = queue
        self._apply = apply
        self._publishing_paused = publishing_paused
        self._claims_show = claims_show

    async def load(self) -> None:
        """Apply what was cancelled before this start; to be called before mail is pulled.

        What can't cover any mail that is still to come is forgotten after a season.

        Raises:
            QueueUnavailableError: the stream gave no answer.
        """
        last = await self._queue.last_sequence()
        try:
            backlog = await self._queue.backlog()
        except QueueUnavailableError:  # as before the first worker has made its consumer
            backlog = Backlog(ack_floor=0, unsettled=1, in_hand=0)
        settled = {"settled": max(backlog.ack_floor, 0), "nothing_left": not backlog.unsettled}
        async with self._database.transaction() as connection:
            await connection.execute(_RENEW, (last,))
            await connection.execute(_FORGET, {"before": time.time() - _KEPT} | settled)
        for row in await self._database.fetch(_ALL):
            self._apply(row["topic_id"], row["sequence"], row["cancelled_at"])

    async def cancel(self, topic_id: str) -> Receipt:
        """Cancelling again is no error: it covers what came since.

        Raises:
            QueueUnavailableError: the stream gave no answer; nothing is cancelled.
        """
        async with self._publishing_paused():  # or mail from our keeping could come to lie behind `sequence`
            sequence = await self._queue.last_sequence()
            now = time.time()
            async with self._database.transaction() as connection:
                values = {"topic_id": topic_id, "sequence": sequence, "now": now, "error": str(StopReason.CANCELLED)}
                await connection.execute(_NOTE, values)
                await connection.execute(_STOP, values)
            # Nobody else has had the writer's turn yet: claims made so far are counted as in flight, none comes after.
            self._apply(topic_id, sequence, now)
        receipt = await self.receipt(topic_id)
        assert receipt is not None  # noqa: S101 - just written
        _log.info("topic.cancelled", **receipt.model_dump(exclude={"cancelled_at"}))
        return receipt

    async def receipt(self, topic_id: str) -> Receipt | None:
        """As things stand now; None if the topic was never cancelled."""
        noted = await self._database.fetch(_COUNTS, (topic_id,))
        if not noted:
            return None
        settled, unseen = await self._settled(noted[0]["sequence"])  # first: what is settled by now shows in the counts
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

    async def _settled(self, sequence: int) -> tuple[bool, int]:
        """Whether all mail up to there is settled; how much may be in flight that the tables don't show."""
        try:
            backlog = await self._queue.backlog()
        except QueueUnavailableError:
            return False, 0
        settled = backlog.ack_floor >= sequence or not backlog.unsettled
        return settled, 0 if settled or self._claims_show else backlog.in_hand
