"""The state of the SES account: its limits, whether it may send, and the credentials that it accepts."""

from collections.abc import Mapping
from datetime import datetime

from botocore.credentials import ReadOnlyCredentials

from email_consumer.core.account import Account
from email_consumer.ses.transport import Answer
from ses_sandbox.aws.errors import QUOTA_EXCEEDED
from ses_sandbox.quota import DailyQuota, SendRate
from tests.simulation.clock import EPOCH
from tests.simulation.ses import answers
from tests.simulation.world import World

_MAX_SKEW = 300.0
"""Seconds that the signer's clock may differ from AWS's."""


class AccountState:
    """What GetAccount tells and SendEmail enforces. Everything may be changed at any time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.rate = SendRate(10_000, clock=lambda: world.now)
        self.quota = DailyQuota(-1, clock=lambda: EPOCH + world.now)
        self.sending_enabled = True
        self.enforcement_status = "HEALTHY"
        self._generation = 1
        self.issued = _credentials(1)
        """What a walk through the credential chain finds."""
        self.accepted = self.issued
        """What AWS accepts."""

    def expire_credentials(self, *, renewed_after: float) -> None:
        """Those issued so far are refused from now on; new ones are found `renewed_after` seconds later."""
        self._generation += 1
        self.accepted = renewed = _credentials(self._generation)
        self._world.trace("ses.credentials expired", renewed_after=renewed_after)
        self._world.after(renewed_after, self._issue, renewed)

    def authenticate(self, headers: Mapping[str, str]) -> Answer | None:
        """The error for a request with these credentials and this time; None if they are accepted."""
        if f"Credential={self.accepted.access_key}/" not in headers["Authorization"]:
            return answers.error("ExpiredTokenException")
        stamp = headers["X-Amz-Date"]
        ahead = datetime.fromisoformat(stamp).timestamp() - (EPOCH + self._world.now)
        if ahead > _MAX_SKEW:
            text = f"Signature not yet current: {stamp} is still more than 5 min. ahead"
            return answers.error("InvalidSignatureException", text)
        if ahead < -_MAX_SKEW:
            text = f"Signature expired: {stamp} is more than 5 min. ago"
            return answers.error("InvalidSignatureException", text)
        return None

    def admit(self, recipients: int) -> Answer | None:
        """Count a mail against the limits; the error if the account may not send it now."""
        if self.enforcement_status == "SHUTDOWN":
            return answers.error("AccountSuspendedException")
        if not self.sending_enabled:
            return answers.error("SendingPausedException")
        if not self.quota.allows(recipients):
            return answers.error("TooManyRequestsException", QUOTA_EXCEEDED)
        if not self.rate.take(recipients):
            return answers.error("TooManyRequestsException")
        self.quota.count(recipients)
        return None

    def read(self) -> Account:
        """What GetAccount answers."""
        return Account(
            max_send_rate=float(self.rate.rate),
            max_24_hour_send=None if self.quota.limit < 0 else float(self.quota.limit),
            sent_last_24_hours=float(self.quota.used),
            sending_enabled=self.sending_enabled,
            enforcement_status=self.enforcement_status,
            production_access=True,
        )

    def _issue(self, credentials: ReadOnlyCredentials) -> None:
        if credentials == self.accepted:  # or newer ones are on their way
            self.issued = credentials


def _credentials(generation: int) -> ReadOnlyCredentials:
    return ReadOnlyCredentials(f"AKIA{generation:016d}", f"secret-{generation}", None)
