"""The state of the sandbox's SES account: what GetAccount reports and SendEmail enforces."""

from typing import Any, Literal

from ses_sandbox.aws.errors import QUOTA_EXCEEDED, RATE_EXCEEDED, AwsError
from ses_sandbox.quota import DailyQuota, SendRate

EnforcementStatus = Literal["HEALTHY", "PROBATION", "SHUTDOWN"]


class Account:
    """Limits and status of the account; changed at run time through `PUT /sandbox/account`."""

    def __init__(self, rate: SendRate, quota: DailyQuota) -> None:
        """Start healthy, with production access."""
        self.rate = rate
        self.quota = quota
        self.sending_enabled = True
        self.enforcement_status: EnforcementStatus = "HEALTHY"
        self.production_access = True

    def admit(self, recipients: int) -> None:
        """Count one mail to `recipients` recipients against the limits.

        Raises:
            AwsError: if the account may not send (now); then nothing is counted.
        """
        if self.enforcement_status == "SHUTDOWN":
            raise AwsError("AccountSuspendedException")
        if not self.sending_enabled:
            raise AwsError("SendingPausedException")
        if not self.quota.allows(recipients):
            raise AwsError("TooManyRequestsException", QUOTA_EXCEEDED)
        if not self.rate.take(recipients):
            raise AwsError("TooManyRequestsException", RATE_EXCEEDED)
        self.quota.count(recipients)

    def as_get_account(self) -> dict[str, Any]:
        """The output of the SES v2 operation GetAccount."""
        return {
            "DedicatedIpAutoWarmupEnabled": False,
            "EnforcementStatus": self.enforcement_status,
            "ProductionAccessEnabled": self.production_access,
            "SendQuota": {
                "Max24HourSend": float(self.quota.limit),
                "MaxSendRate": float(self.rate.rate),
                "SentLast24Hours": float(self.quota.used),
            },
            "SendingEnabled": self.sending_enabled,
            "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
        }
