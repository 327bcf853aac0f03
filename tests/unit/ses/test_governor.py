import asyncio
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from email_consumer.core.account import Account, AccountUnavailableError
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Failed, Held, Sent, Throttled
from email_consumer.message.lane import Lane
from email_consumer.ses.governor import Governor
from tests.waiting import patience

HEALTHY = Account(
    max_send_rate=200,
    max_24_hour_send=None,
    sent_last_24_hours=0,
    sending_enabled=True,
    enforcement_status="HEALTHY",
    production_access=True,
)


@dataclass
class RecordedPace:
    rate: float = 0.0
    holds: dict[str, str] = field(default_factory=dict)
    bulk_only: bool = False
    calls: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def set_rate(self, rate: float) -> None:
        self.rate = rate

    def hold(self, holder: str, reason: str) -> None:
        self.holds[holder], self.bulk_only = reason, False
        self.calls.put_nowait(f"hold {holder}")

    def hold_bulk(self, holder: str, reason: str) -> None:
        self.holds[holder], self.bulk_only = reason, True
        self.calls.put_nowait(f"hold bulk {holder}")

    def resume(self, holder: str) -> None:
        del self.holds[holder]
        self.bulk_only = False
        self.calls.put_nowait(f"resume {holder}")


class Bench:
    """A governor over 500 recipients a second, with an account and a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.answer: Account | AccountUnavailableError = HEALTHY
        self.pace = RecordedPace(rate=500)
        self.metrics = Metrics()
        self.governor = Governor(
            rate=500,
            pace=self.pace,
            metrics=self.metrics,
            account=self.account,
            quota_reserve=0.1,
            poll=0.05,
            poll_held=0.01,
            clock=lambda: self.now,
        )

    async def account(self) -> Account:
        if isinstance(self.answer, AccountUnavailableError):
            raise self.answer
        return self.answer

    async def look(self, **change: object) -> None:
        self.answer = replace(HEALTHY, **change)  # type: ignore[arg-type]
        await self.governor.check_account()

    def sent(self, recipients: int = 1) -> None:
        self.metrics.recipients_sent += recipients
        self.governor.report(Sent("id"))


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_the_rate_is_the_lower_of_setting_and_account_shared_by_the_workers(bench: Bench) -> None:
    await bench.look()
    assert bench.pace.rate == 200
    bench.governor.set_workers(4)
    assert bench.pace.rate == 50
    await bench.look(max_send_rate=10_000)
    assert bench.pace.rate == 125


async def test_throttles_cut_the_rate_and_success_brings_it_back(bench: Bench) -> None:
    for _ in range(99):
        bench.sent()
    bench.governor.report(Throttled("Maximum sending rate exceeded."))
    assert bench.pace.rate == pytest.approx(460)
    for _ in range(400):
        bench.now += 0.1
        bench.sent()
    assert bench.pace.rate == 500


async def test_what_was_felt_of_the_limit_outlives_a_worker_that_joins(bench: Bench) -> None:
    for _ in range(99):
        bench.sent()
    bench.governor.report(Throttled("Maximum sending rate exceeded."))
    bench.governor.set_workers(4)
    assert bench.pace.rate == pytest.approx(115)
    bench.governor.set_workers(3)
    assert bench.pace.rate == pytest.approx(460 / 3)


async def test_other_failures_leave_the_rate_alone(bench: Bench) -> None:
    bench.governor.report(Failed("no connection"))
    bench.governor.report(Held("expired"))
    assert bench.pace.rate == 500


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sending_enabled": False}, "SendingEnabled"),
        ({"enforcement_status": "SHUTDOWN"}, "SHUTDOWN"),
        ({"max_24_hour_send": 50_000, "sent_last_24_hours": 50_000}, "50000"),
    ],
)
async def test_an_account_that_may_not_send_holds_the_queue_until_it_may(
    bench: Bench, change: dict[str, object], reason: str
) -> None:
    await bench.look(**change)
    assert reason in bench.pace.holds["account"]
    await bench.look()
    assert not bench.pace.holds


async def test_probation_does_not_hold(bench: Bench) -> None:
    await bench.look(enforcement_status="PROBATION")
    assert not bench.pace.holds


async def test_the_budget_of_24_hours_counts_recipients_between_two_looks(bench: Bench) -> None:
    await bench.look(max_24_hour_send=100, sent_last_24_hours=80)
    bench.sent(19)
    assert not bench.pace.holds
    bench.sent(1)
    assert "100" in bench.pace.holds["account"]
    await bench.look(max_24_hour_send=100, sent_last_24_hours=70)
    assert not bench.pace.holds
    bench.sent(29)
    assert not bench.pace.holds


async def test_workers_share_the_budget(bench: Bench) -> None:
    bench.governor.set_workers(4)
    await bench.look(max_24_hour_send=100, sent_last_24_hours=80)
    bench.sent(4)
    assert not bench.pace.holds
    bench.sent(1)
    assert bench.pace.holds


async def test_without_permission_the_setting_counts_and_one_line_says_so(bench: Bench) -> None:
    await bench.look(sending_enabled=False)
    bench.answer = AccountUnavailableError("AccessDenied", forbidden=True)
    with capture_logs() as logs:
        await bench.governor.check_account()
        await bench.governor.check_account()
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["ses.account_unknown"]
    assert (bench.pace.rate, bench.pace.holds, bench.governor.account) == (500, {}, None)


async def test_an_answer_that_fails_to_come_changes_nothing(bench: Bench) -> None:
    await bench.look(sending_enabled=False)
    bench.answer = AccountUnavailableError("time-out", forbidden=False)
    await bench.governor.check_account()
    assert (bench.pace.rate, list(bench.pace.holds)) == (200, ["account"])


async def test_an_account_without_any_rate_does_not_stop_the_pace(bench: Bench) -> None:
    await bench.look(max_send_rate=0)
    assert bench.pace.rate == 500


async def test_it_looks_again_by_itself_and_at_once_when_something_is_wrong(bench: Bench) -> None:
    bench.governor._poll = 3600
    task = asyncio.create_task(bench.governor.run())
    bench.answer = replace(HEALTHY, sending_enabled=False)
    bench.governor.report(Held("Sending paused for this account."))
    async with patience():
        assert await bench.pace.calls.get() == "hold account"
        bench.answer = HEALTHY
        assert await bench.pace.calls.get() == "resume account"
    task.cancel()


async def test_the_end_of_the_quota_is_kept_for_transactional_mail_once_there_is_any(bench: Bench) -> None:
    await bench.look(max_24_hour_send=100, sent_last_24_hours=80)
    bench.sent(10)
    assert not bench.pace.holds, "without transactional mail the whole quota is for bulk mail"
    bench.metrics.sent_by_lane[Lane.TRANSACTIONAL] += 1
    bench.sent(0)
    assert bench.pace.bulk_only
    assert "the last 10 recipients of the SES quota" in bench.pace.holds["account"]
    bench.sent(9)
    assert bench.pace.bulk_only
    bench.sent(1)
    assert not bench.pace.bulk_only
    assert "used up" in bench.pace.holds["account"]
    await bench.look(max_24_hour_send=100, sent_last_24_hours=95)
    assert bench.pace.bulk_only
    await bench.look(max_24_hour_send=100, sent_last_24_hours=50)
    assert not bench.pace.holds


async def test_workers_share_the_reserve(bench: Bench) -> None:
    bench.metrics.sent_by_lane[Lane.TRANSACTIONAL] = 1
    bench.governor.set_workers(4)
    await bench.look(max_24_hour_send=100, sent_last_24_hours=50)
    bench.sent(9)
    assert not bench.pace.holds
    bench.sent(1)
    assert bench.pace.bulk_only
