"""What SES tells about the account: its limits and whether it may send."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class AccountUnavailableError(Exception):
    """GetAccount gave no answer; the text says why. Sending may well work all the same."""

    def __init__(self, reason: str, *, forbidden: bool) -> None:
        """`forbidden` is whether our credentials lack the permission ses:GetAccount, which will not pass by itself."""
        super().__init__(reason)
        self.forbidden = forbidden


@dataclass(frozen=True, slots=True)
class Account:
    """The answer of GetAccount.

    Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
    """

    max_send_rate: float
    """Recipients a second."""
    max_24_hour_send: float | None
    """Recipients in any 24 hours; None is unlimited."""
    sent_last_24_hours: float
    """Recipients, of everyone who sends by this account."""
    sending_enabled: bool
    enforcement_status: str
    """HEALTHY, PROBATION or SHUTDOWN."""
    production_access: bool
    """False in SES's own sandbox, where every recipient has to be verified."""

    @classmethod
    def from_response(cls, response: Mapping[str, Any]) -> "Account":
        """Read botocore's form of the answer.

        Raises:
            email_consumer.aws.client.UNREADABLE: SES did not write it.
        """
        quota = response["SendQuota"]
        rate, most, sent = (_number(quota[name]) for name in ("MaxSendRate", "Max24HourSend", "SentLast24Hours"))
        return cls(
            max_send_rate=rate,
            max_24_hour_send=None if most < 0 else most,
            sent_last_24_hours=sent,
            sending_enabled=response["SendingEnabled"],
            enforcement_status=response.get("EnforcementStatus", "HEALTHY"),
            production_access=response.get("ProductionAccessEnabled", True),
        )


def _number(value: Any) -> float:  # noqa: ANN401 - botocore doesn't look at what a number is
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no limit")
    return number
