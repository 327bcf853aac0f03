"""`GET /v1/stats`: its spans, sums and rates."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from email_consumer.api.stats_routes import Range, StatsRoutes, spans
from email_consumer.core.account import Account
from email_consumer.store.database import open_database
from tests.integration.dashboard.rows import Rows, serve

_ACCOUNT = Account(14, 50_000, 1, sending_enabled=True, enforcement_status="HEALTHY", production_access=True)
_BERLIN = ZoneInfo("Europe/Berlin")
_NAMES = ("sent", "delivered", "bounced", "complained", "opened")


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Rows]:
    async with (
        open_database(tmp_path / "email.db") as database,
        serve(database, StatsRoutes(database, lambda: _ACCOUNT, _BERLIN, least_mails=300).routes()) as served,
    ):
        yield served


async def _add(it: Rows, at: float, lane: str, *values: int) -> None:
    columns = dict(zip(_NAMES, values, strict=False))
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO activity_minutes (minute, lane, {names}) VALUES (?, ?, {marks})"  # noqa: S608 - constants
    await it.execute(sql, (int(at) // 60, lane, *columns.values()))


async def test_points_add_up_to_totals_and_rates_are_shares_of_them(it: Rows) -> None:
    now = time.time()
    await _add(it, now - 120, "bulk", 200, 190, 10, 1, 95)
    await _add(it, now - 60, "transactional", 50, 50)
    await _add(it, now - 3_700, "bulk", 100, 100, 0, 1)
    status, stats = await it.get("/v1/stats", range="hour")
    assert status == 200
    assert stats["totals"] == dict.fromkeys(stats["totals"], 0) | {
        "sent": 250,
        "delivered": 240,
        "bounced": 10,
        "complained": 1,
        "opened": 95,
    }
    assert stats["rates"] == {"delivered": 240 / 250, "bounced": 0.04, "complained": 0.004, "opened": 95 / 240}
    assert stats["before"]["sent"] == 100
    assert stats["rates_before"]["opened"] == 0
    assert {lane: counts["sent"] for lane, counts in stats["lanes"].items()} == {"transactional": 50, "bulk": 200}
    assert len(stats["points"]) == 60
    assert sum(point["sent"] for point in stats["points"]) == 250
    assert stats["points"][0]["at"] == stats["since"]
    assert stats["limits"]["max_24_hour_send"] == 50_000
    assert stats["limits"]["bounce_review"] == 0.05
    assert stats["least_mails"] == 300
    _, bulk = await it.get("/v1/stats", range="hour", lane="bulk")
    assert bulk["totals"]["sent"] == 200
    assert list(bulk["lanes"]) == ["bulk"]


async def test_nothing_sent_has_no_rate(it: Rows) -> None:
    for wanted in Range:
        status, stats = await it.get("/v1/stats", range=wanted)
        assert status == 200
        assert set(stats["rates"].values()) == {None}
    assert (await it.get("/v1/stats", range="year"))[0] == 422


async def test_what_is_kept_by_the_hour_is_found(it: Rows) -> None:
    await it.execute(
        "INSERT INTO activity_hours (hour, lane, sent) VALUES (?, 'bulk', 7)", (time.time() // 3600 - 100,)
    )
    for wanted, found in [(Range.DAY, 0), (Range.WEEK, 7), (Range.QUARTER, 7)]:
        _, stats = await it.get("/v1/stats", range=wanted)
        assert (stats["totals"]["sent"], sum(point["sent"] for point in stats["points"])) == (found, found)


def _local(*moment: int) -> float:
    year, month, day, hour = moment
    return datetime(year, month, day, hour, tzinfo=_BERLIN).timestamp()


def test_days_are_those_of_the_zone_also_when_its_clocks_change() -> None:
    now = _local(2026, 10, 26, 9)  # the day after the one with 25 hours
    yesterday = spans(Range.YESTERDAY, now, _BERLIN).starts
    assert (yesterday[0], yesterday[-1]) == (_local(2026, 10, 25, 0), _local(2026, 10, 26, 0))
    assert len(yesterday) - 1 == 25
    days = spans(Range.QUARTER, now, _BERLIN).starts
    assert len(days) - 1 == 90
    assert days[-1] == _local(2026, 10, 27, 0)
    assert {later - earlier for earlier, later in pairwise(days)} == {86_400, 90_000}


def test_spans_end_with_the_present_one() -> None:
    for wanted in (Range.HOUR, Range.DAY, Range.WEEK, Range.QUARTER):
        starts = spans(wanted, 1_700_000_123, ZoneInfo("Asia/Kolkata")).starts
        assert starts[-2] <= 1_700_000_123 < starts[-1]
        assert starts == sorted(set(starts))
