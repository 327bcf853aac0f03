"""`GET /v1/stats`: what happened in the last hour, day, week or 90 days, or yesterday."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from aiohttp import web

from email_consumer.core.account import Account
from email_consumer.message.lane import Lane
from email_consumer.store.activity import COLUMNS, activity
from email_consumer.store.database import Database
from email_consumer.web.grant import Scope
from email_consumer.web.routing import ApiModel, RequestModel, answer, operation, read_query
from email_consumer.web.times import Moment

_MINUTE, _HOUR = 60, 3_600


class Range(StrEnum):
    HOUR = "hour"
    DAY = "day"
    YESTERDAY = "yesterday"
    WEEK = "week"
    QUARTER = "90d"


class StatsQuery(RequestModel):
    range: Range = Range.DAY
    """The last hour (by minute), 24 hours (by quarter of an hour), 7 days (by hour) or 90 days (by day), or yesterday (by hour)."""
    lane: Lane | None = None
    """Only mail of this lane."""


class Counts(ApiModel):
    """What happened in a span of time, in mails; a mail counts once in each, by its own recipient."""

    sent: int
    """SES accepted it."""
    failed: int
    """SES refused it, or its last attempt failed."""
    stopped: int
    """Cancelled, suppressed or expired."""
    delivered: int
    delayed: int
    bounced: int
    """For good; what SES counts as a bounce."""
    soft_bounced: int
    """Bounced for now, such as a full mailbox or an automatic reply."""
    complained: int
    opened: int
    """Not counting programs, such as mail scanners."""
    clicked: int
    """Not counting programs, such as mail scanners."""


class Rates(ApiModel):
    """Shares between 0 and 1; null where nothing was sent (for `opened`: delivered)."""

    delivered: float | None
    bounced: float | None
    complained: float | None
    opened: float | None


class StatsPoint(Counts):
    at: Moment
    """The beginning of its span."""


class SesLimits(ApiModel):
    """Where SES reviews and pauses an account, and what the account may send.

    Source: https://docs.aws.amazon.com/ses/latest/dg/reputationdashboardmessages.html
    """

    bounce_review: float = 0.05
    bounce_pause: float = 0.1
    complaint_review: float = 0.001
    complaint_pause: float = 0.005
    max_24_hour_send: float | None
    """Recipients; null if unlimited or unknown."""
    max_send_rate: float | None
    """Recipients per second; null if unknown."""


class Stats(ApiModel):
    range: Range
    since: Moment
    until: Moment
    totals: Counts
    before: Counts
    """The totals of the span of the same length before."""
    rates: Rates
    rates_before: Rates
    lanes: dict[str, Counts]
    """`totals` by lane."""
    points: list[StatsPoint]
    """In order and without gaps; they add up to `totals`."""
    limits: SesLimits
    least_mails: int
    """Of fewer mails, rates prove nothing: REPUTATION_MAILS."""


class _Spans(NamedTuple):
    """Unix seconds."""

    starts: list[int]
    """Of each point, and the end of the last one."""
    step: int
    """Seconds of what they are made of."""


class StatsRoutes:
    def __init__(
        self, database: Database, account: Callable[[], Account | None], zone: tzinfo, *, least_mails: int
    ) -> None:
        """`account` is the latest GetAccount result; `zone` says when a day begins; `least_mails`: of fewer, rates prove nothing."""
        self._database = database
        self._account = account
        self._zone = zone
        self._least_mails = least_mails

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/stats", self.show)]

    @operation("What happened in a range of time", query=StatsQuery, answer=Stats, scope=Scope.READ)
    async def show(self, request: web.Request) -> web.Response:
        query = read_query(request, StatsQuery)
        starts, step = spans(query.range, time.time(), self._zone)
        since, until = starts[0], starts[-1]
        former = since - (until - since)
        rows = [
            row
            for row in await activity(self._database, former, until, step=step)
            if query.lane is None or row[1] == query.lane
        ]
        recent = [row for row in rows if row[0] >= since]
        points = _points(starts, recent)
        totals, before = _sum(row[2] for row in recent), _sum(row[2] for row in rows if row[0] < since)
        lanes = {lane: _sum(row[2] for row in recent if row[1] == lane) for lane in Lane if query.lane in (None, lane)}
        return answer(
            Stats(
                range=query.range,
                since=since,
                until=until,
                totals=totals,
                before=before,
                rates=_rates(totals),
                rates_before=_rates(before),
                lanes={str(lane): counts for lane, counts in lanes.items()},
                points=points,
                limits=self._limits(),
                least_mails=self._least_mails,
            )
        )

    def _limits(self) -> SesLimits:
        account = self._account()
        if account is None:
            return SesLimits(max_24_hour_send=None, max_send_rate=None)
        return SesLimits(max_24_hour_send=account.max_24_hour_send, max_send_rate=account.max_send_rate)


def spans(wanted: Range, now: float, zone: tzinfo) -> _Spans:
    """The spans of a range at `now` (Unix seconds), the last one being the present one. Days begin in `zone`.

    Hours are the smallest unit after two days: where a zone is not a whole number of hours from UTC, its days begin with
    the next full hour of UTC.
    """
    match wanted:
        case Range.HOUR:
            return _Spans(_evenly(now, _MINUTE, 60), _MINUTE)
        case Range.DAY:
            return _Spans(_evenly(now, 15 * _MINUTE, 96), 15 * _MINUTE)
        case Range.WEEK:
            return _Spans(_evenly(now, _HOUR, 168), _HOUR)
        case Range.YESTERDAY:
            first, last = _midnights(now, zone, range(-1, 1))
            return _Spans([*range(first, last, _HOUR), last], _HOUR)
        case Range.QUARTER:
            return _Spans(_midnights(now, zone, range(-89, 2)), _HOUR)


def _evenly(now: float, seconds: int, number: int) -> list[int]:
    end = (int(now) // seconds + 1) * seconds
    return [end - seconds * left for left in range(number, -1, -1)]


def _midnights(now: float, zone: tzinfo, days: Iterable[int]) -> list[int]:
    """When days begin, counted from today; rounded up to an hour of UTC."""
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return [-int(-(today + timedelta(days=day)).timestamp() // _HOUR) * _HOUR for day in days]


def _points(starts: list[int], rows: Iterable[tuple[int, str, Iterable[int]]]) -> list[StatsPoint]:
    sums = [[0] * len(COLUMNS) for _ in starts[1:]]
    for at, _, values in rows:
        place = sums[bisect_right(starts, at) - 1]
        for index, value in enumerate(values):
            place[index] += value
    return [
        StatsPoint(at=at, **dict(zip(COLUMNS, values, strict=True)))
        for at, values in zip(starts[:-1], sums, strict=True)
    ]


def _sum(rows: Iterable[Iterable[int]]) -> Counts:
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    return Counts(**dict(zip(COLUMNS, map(sum, columns), strict=True)))


def _rates(counts: Counts) -> Rates:
    return Rates(
        delivered=_share(counts.delivered, counts.sent),
        bounced=_share(counts.bounced, counts.sent),
        complained=_share(counts.complained, counts.sent),
        opened=_share(counts.opened, counts.delivered),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
