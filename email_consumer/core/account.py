"""The SES account: its limits and whether it may send."""

from dataclasses import dataclass


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
    """Recipients, sent by anyone who uses this account."""
    sending_enabled: bool
    enforcement_status: str
    """HEALTHY, PROBATION or SHUTDOWN."""
    production_access: bool
    """False while the account is in the SES sandbox, where every recipient must be verified."""


class AccountUnavailableError(Exception):
    """SES gave no answer about the account; the text says why. Sending may well work all the same."""

    def __init__(self, reason: str, *, forbidden: bool, refused: bool = False) -> None:
        """`forbidden` is whether our credentials lack the permission, which retrying does not fix.

        `refused` is whether the credentials themselves are refused, as expired ones are: newer ones may be found.
        """
        super().__init__(reason)
        self.forbidden = forbidden
        self.refused = refused
