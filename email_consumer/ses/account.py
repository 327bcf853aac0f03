"""Reads what GetAccount answers."""

import math
from collections.abc import Mapping
from typing import Any

from email_consumer.core.account import Account


def read_account(response: Mapping[str, Any]) -> Account:
    """Read botocore's form of the answer.

    Raises:
        email_consumer.aws.client.UNREADABLE: SES did not write it.
    """
    quota = response["SendQuota"]
    rate, most, sent = (_number(quota[name]) for name in ("MaxSendRate", "Max24HourSend", "SentLast24Hours"))
    return Account(
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
