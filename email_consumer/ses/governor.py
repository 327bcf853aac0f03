"""Keeps to what SES allows the account: its rate, its quota of 24 hours, and whether it may send at all."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from typing import NamedTuple

import structlog

from email_consumer.core.account import Account, AccountUnavailableError
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import Held, SendResult, Sent, Throttled
from email_consumer.core.pace import Pace
from email_consumer.message.lane import Lane
from email_consumer.ses.rate_control import RateControl

_HOLDER = "account"
_ADJUST = 0.25
"""Seconds between two steps of a rate that recovers from a throttle."""

_log = structlog.get_logger(__name__)


class _Obstacle(NamedTuple):
    """Why mail is held."""

    reason: str
    bulk_only: bool = False


class Governor:
    """Sets the pace to min(setting, MaxSendRate) / workers, less after throttles; holds it while sending is no use.

    `report` takes each result; `look` reads the account once, `run` keeps reading it.
    """

    def __init__(
        self,
        *,
        rate: float,
        pace: Pace,
        metrics: Metrics,
        account: Callable[[], Awaitable[Account]],
        quota_reserve: float = 0.0,
        reserved: bool = False,
        poll: float = 60.0,
        poll_held: float = 5.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Take the setting and what it steers.

        Args:
            rate: the setting, in recipients a second over all workers.
            pace: gets the resulting rate.
            metrics: tell how many recipients were sent.
            account: asks SES; may raise `AccountUnavailableError`.
            quota_reserve: the part of the quota that is kept for transactional mail, once there is any.
            reserved: there has been some before this process started.
            poll: seconds between two looks at the account.
            poll_held: seconds between two looks at the least, and while the account may not send.
            clock: seconds; `time.monotonic` unless given.
        """
        self._setting = rate
        self._pace = pace
        self._metrics = metrics
        self._ask = account
        self._quota_reserve = quota_reserve
        self._reserved = reserved
        self._poll = poll
        self._poll_held = poll_held
        self._clock = clock or time.monotonic
        self._workers = 1
        self._account: Account | None = None
        self._unknown = ""
        self._sent_before = 0
        self._control = RateControl(rate)
        self._rate = rate
        self._adjusted_at = self._clock()
        self._held: _Obstacle | None = None
        self._check_soon = asyncio.Event()

    @property
    def account(self) -> Account | None:
        """SES's last answer; None if there was none, or if we may not ask."""
        return self._account

    @property
    def ceiling(self) -> float:
        """Recipients a second that this worker may send at the most."""
        return self._control.ceiling / self._workers

    def set_workers(self, workers: int) -> None:
        """The number of live workers that share the rate and the quota."""
        self._workers = workers
        self._apply()

    def report(self, result: SendResult) -> None:
        """Take note of what one call ended in."""
        match result:
            case Sent():
                self._control.accepted()
                if self._clock() - self._adjusted_at >= _ADJUST:
                    self._set_rate()
                if (self._held is None or self._held.bulk_only) and self._obstacle() != self._held:
                    self._apply()
            case Throttled(reason):
                if self._control.throttled(self._clock()):
                    self._set_rate()
                    _log.warning("ses.throttled", reason=reason, rate=round(self._rate, 1), ceiling=self.ceiling)
            case Held():
                self._check_soon.set()
            case _:
                pass

    async def check_account(self) -> None:
        """Ask SES for the account and act on it; to be called once before the first mail.

        Without an answer the last one counts, and without any the setting.
        """
        try:
            account = await self._ask()
        except AccountUnavailableError as error:
            if error.forbidden:
                self._account = None
            if str(error) != self._unknown:
                hint = "allow ses:GetAccount in the IAM policy; until then the rate of the settings counts"
                _log.warning("ses.account_unknown", error=str(error), hint=hint if error.forbidden else "asked again")
            self._unknown = str(error)
        else:
            if self._account is None or account.max_send_rate != self._account.max_send_rate:
                _log.info("ses.account", **asdict(account))
            self._account, self._unknown = account, ""
            self._sent_before = self._metrics.recipients_sent
        self._apply()

    async def run(self) -> None:
        """Look again and again, sooner when there is a reason to; until cancelled."""
        while True:
            await asyncio.sleep(self._poll_held)
            if not self._held:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll - self._poll_held):
                        await self._check_soon.wait()
            self._check_soon.clear()
            await self.check_account()

    def _apply(self) -> None:
        # In recipients over all workers: what was felt of the limit stays true when one joins or leaves.
        ceiling = self._allowed()
        if ceiling != self._control.ceiling:
            self._control = RateControl(ceiling)
        self._set_rate()
        obstacle = self._obstacle()
        if obstacle and obstacle != self._held:
            lane = "bulk" if obstacle.bulk_only else "all"
            hint = "nothing is lost; sending resumes automatically"
            _log.error("queue.held", reason=obstacle.reason, lane=lane, hint=hint)
            (self._pace.hold_bulk if obstacle.bulk_only else self._pace.hold)(_HOLDER, obstacle.reason)
        elif self._held and not obstacle:
            _log.info("queue.resumed")
            self._pace.resume(_HOLDER)
        self._held = obstacle

    def _set_rate(self) -> None:
        self._adjusted_at = self._clock()
        rate = self._control.rate(self._adjusted_at) / self._workers
        if rate != self._rate:
            self._rate = rate
            self._pace.set_rate(rate)

    def _allowed(self) -> float:
        if self._account is None or self._account.max_send_rate <= 0:
            return self._setting
        return min(self._setting, self._account.max_send_rate)

    def _obstacle(self) -> "_Obstacle | None":
        account = self._account
        if account is None:
            return None
        if account.enforcement_status == "SHUTDOWN":
            return _Obstacle("SES has shut this account down (EnforcementStatus SHUTDOWN); AWS's console tells why")
        if not account.sending_enabled:
            return _Obstacle("sending is paused for this SES account (SendingEnabled is false)")
        quota = account.max_24_hour_send
        if quota is None:
            return None
        # What the account had left at the last look, shared by the workers: SES counts the other workers' mail itself.
        sent = self._metrics.recipients_sent - self._sent_before
        left = quota - account.sent_last_24_hours
        if sent >= left / self._workers:
            return _Obstacle(f"the SES quota of {quota:.0f} recipients in 24 hours is used up")
        # Who sends bulk mail alone has the whole quota for it.
        reserved = self._reserved or self._metrics.sent_by_lane[Lane.TRANSACTIONAL]
        reserve = quota * self._quota_reserve if reserved else 0.0
        if reserve and sent >= (left - reserve) / self._workers:
            what = f"the last {reserve:.0f} recipients of the SES quota ({quota:.0f} in 24 hours)"
            return _Obstacle(f"{what} are kept for transactional mail", bulk_only=True)
        return None
