"""The two sending limits of an SES account: recipients a second, and recipients in any 24 hours."""

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic, time

DAY = 86_400
_MINUTE = 60


class SendRate:
    """MaxSendRate as a token bucket that holds one second's worth, as SES allows short bursts."""

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        """Start full. `rate` is in recipients a second."""
        self._clock = clock
        self._filled_at = clock()
        self.rate = rate

    @property
    def rate(self) -> float:
        """Recipients a second; setting it starts a full bucket."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate
        self._capacity = max(rate, 1.0)
        self._tokens = self._capacity

    def take(self, recipients: int) -> bool:
        """Take the tokens for one mail, or nothing and return False.

        A mail to more recipients than the bucket holds goes when it is full and leaves a debt.
        """
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < min(recipients, self._capacity):
            return False
        self._tokens -= recipients
        return True


class DailyQuota:
    """Max24HourSend over a rolling window, kept by the minute."""

    def __init__(self, limit: float, used: Iterable[tuple[int, int]] = (), clock: Callable[[], float] = time) -> None:
        """`used` is (minute since the epoch, recipients) in order of time; a `limit` of -1 is unlimited."""
        self.limit = limit
        self._clock = clock
        self._minutes: deque[tuple[int, int]] = deque(used)
        self._total = sum(recipients for _, recipients in self._minutes)

    @property
    def used(self) -> int:
        """Recipients accepted in the last 24 hours."""
        horizon = self.minute() - DAY // _MINUTE
        while self._minutes and self._minutes[0][0] <= horizon:
            self._total -= self._minutes.popleft()[1]
        return self._total

    def allows(self, recipients: int) -> bool:
        """Whether that many more fit."""
        return self.limit < 0 or self.used + recipients <= self.limit

    def count(self, recipients: int) -> None:
        """Count accepted recipients."""
        minute = self.minute()
        if self._minutes and self._minutes[-1][0] == minute:
            self._minutes[-1] = (minute, self._minutes[-1][1] + recipients)
        else:
            self._minutes.append((minute, recipients))
        self._total += recipients

    def restate(self, recipients: int) -> None:
        """Pretend that this many were accepted just now, and nothing before."""
        self._minutes = deque([(self.minute(), recipients)])
        self._total = recipients

    def minute(self) -> int:
        """The current minute since the epoch."""
        return minute_of(self._clock())


def minute_of(moment: float) -> int:
    """The minute since the epoch of a Unix time in seconds."""
    return int(moment) // _MINUTE
