"""How far the mail of a topic has got, how fast it goes out, and what became of it."""

import time
from dataclasses import dataclass

from email_consumer.api import statements
from email_consumer.api.unseen import Unseen
from email_consumer.store.database import Database
from email_consumer.store.status import Status
from email_consumer.web.routing import ApiModel
from email_consumer.web.times import Moment

_PACE_OVER = 300.0
"""Seconds over which the pace is measured."""
_FINISHED = (Status.SENT, Status.FAILED, Status.STOPPED)


class Progress(ApiModel):
    """Of the mail that is known. Mail in the stream is known once a worker has claimed it."""

    total: int
    remaining: int
    """Mails that will still be sent, or are being sent."""
    sent: int
    failed: int
    stopped: int
    delivered: int
    """Distinct recipients, as all that follow."""
    bounced: int
    complained: int
    opened: int
    unsubscribed: int
    """By a link in the latest bulk mail to them."""
    delivery_rate: float | None
    """`delivered` as a share of `sent`, between 0 and 1; null while none is sent."""
    bounce_rate: float | None
    complaint_rate: float | None
    open_rate: float | None
    unsubscribe_rate: float | None
    first_sent_at: Moment | None
    last_sent_at: Moment | None
    sent_per_second: float
    """Over the last five minutes."""
    remaining_seconds: float | None
    """Until nothing remains, at that pace; null if nothing was sent lately."""
    unseen: int | None
    """Mails in the queue that no worker has claimed yet; some may be of this topic. Null if the queue does not respond."""
    finished: bool
    """Nothing of the topic remains, and nothing unseen waits that may belong to it."""


@dataclass(frozen=True, slots=True)
class _Pace:
    first_at: float | None
    last_at: float | None
    per_second: float


class ProgressReader:
    def __init__(self, database: Database, unseen: Unseen) -> None:
        self._database = database
        self._unseen = unseen

    async def unseen(self) -> int | None:
        """To be read before the counts: what is claimed in between is in these."""
        return await self._unseen()

    async def read(
        self, topic_id: str, requests: dict[Status, int], results: dict[str, int], unseen: int | None
    ) -> Progress:
        """`requests`: number of the topic's mails by status; `results`: of its recipients by kind of result."""
        pace = await self._pace(topic_id, time.time())
        remaining = sum(count for status, count in requests.items() if status not in _FINISHED)
        sent = requests[Status.SENT]
        delivered, bounced, complained, opened, unsubscribed = (
            results.get(kind, 0) for kind in ("Delivery", "Bounce", "Complaint", "Open", "Unsubscribed")
        )
        return Progress(
            total=sum(requests.values()),
            remaining=remaining,
            sent=sent,
            failed=requests[Status.FAILED],
            stopped=requests[Status.STOPPED],
            delivered=delivered,
            bounced=bounced,
            complained=complained,
            opened=opened,
            unsubscribed=unsubscribed,
            delivery_rate=_share(delivered, sent),
            bounce_rate=_share(bounced, sent),
            complaint_rate=_share(complained, sent),
            open_rate=_share(opened, sent),
            unsubscribe_rate=_share(unsubscribed, sent),
            first_sent_at=pace.first_at,
            last_sent_at=pace.last_at,
            sent_per_second=round(pace.per_second, 3),
            remaining_seconds=remaining / pace.per_second if pace.per_second else None,
            unseen=unseen,
            finished=any(requests.values()) and not remaining and unseen == 0,
        )

    async def _pace(self, topic_id: str, now: float) -> _Pace:
        since = now - _PACE_OVER
        ((first_at, last_at, lately),) = await self._database.fetch(
            statements.TOPIC_PACE, {"topic_id": topic_id, "minute": int(since) // 60}
        )
        if not lately:
            return _Pace(first_at, last_at, 0.0)
        began = max(first_at, int(since) // 60 * 60)
        return _Pace(first_at, last_at, lately / max(1.0, now - began))


def _share(count: int, of: int) -> float | None:
    return round(min(1.0, count / of), 4) if of else None
