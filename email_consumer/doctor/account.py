"""The SES account: our credentials, its standing, its limits, its clock."""

from email_consumer.aws.control_plane import Clocks, ControlPlane
from email_consumer.aws.errors import AwsError
from email_consumer.core.account import Account
from email_consumer.doctor.finding import Finding, error, ok, warning
from email_consumer.runtime.counted import counted
from email_consumer.ses.account import read_account

_NEARLY_USED = 0.8
_SKEW_WARNING = 30.0
_SKEW_ERROR = 240.0
"""Seconds; beyond 300 AWS refuses what we sign."""


async def check_credentials(aws: ControlPlane) -> tuple[Account | None, list[Finding]]:
    """GetAccount. None where the credentials are of no use, so that there is no sense in asking further."""
    try:
        account = read_account(await aws.ses("get_account"))
    except AwsError as failure:
        if failure.forbidden:
            text = f"{failure} The rate can't follow SES's limits, and a paused account is noticed only when SES refuses mail."
            return None, [warning("ses.credentials", text, failure.fix)]
        return None, [error("ses.credentials", str(failure), failure.fix)]
    return account, [ok("ses.credentials", "SES accepts the credentials.")]


def check_account(account: Account, rate: float) -> list[Finding]:
    """Whether it may send, and how much. `rate`: the setting, in recipients a second."""
    return [*_standing(account), _production(account), _quota(account), _rate(account, rate)]


def _standing(account: Account) -> list[Finding]:
    findings = []
    if account.enforcement_status == "SHUTDOWN":
        findings.append(
            error(
                "ses.standing", "SES has shut the account down.", "Appeal in the AWS console: SES, Reputation metrics."
            )
        )
    elif account.enforcement_status == "PROBATION":
        findings.append(
            warning(
                "ses.standing",
                "The account is under review: too many bounces or complaints. SES may shut it down.",
                "See the AWS console (SES, Reputation metrics), fix the cause, and answer AWS's mail.",
            )
        )
    if not account.sending_enabled:
        findings.append(
            error(
                "ses.sending",
                "Sending is paused for the account.",
                "Resume it: `aws sesv2 put-account-sending-attributes --sending-enabled`; the daemon resumes automatically.",
            )
        )
    return findings or [ok("ses.standing", "The account may send.")]


def _production(account: Account) -> Finding:
    if account.production_access:
        return ok("ses.production", "The account has left SES's sandbox.")
    return warning(
        "ses.production",
        "The account is in SES's sandbox: it can send only to verified addresses, 200 mails a day.",
        "Ask for production access: `aws sesv2 put-account-details --production-access-enabled …`, see docs/aws.md.",
    )


def _quota(account: Account) -> Finding:
    limit, used = account.max_24_hour_send, account.sent_last_24_hours
    if limit is None:
        return ok("ses.quota", f"{counted(round(used), 'recipient')} in the last 24 hours, without a limit.")
    text = f"{used:,.0f} of {limit:,.0f} recipients of 24 hours are used"
    if used >= limit:
        return error("ses.quota", f"{text} up: nothing is sent until some of them are a day old.", _MORE)
    if used >= _NEARLY_USED * limit:
        return warning("ses.quota", f"{text}.", _MORE)
    return ok("ses.quota", f"{text}.")


_MORE = "Ask AWS for a higher quota (Service Quotas, Amazon SES, Sending quota)."


def _rate(account: Account, rate: float) -> Finding:
    if 0 < account.max_send_rate < rate:
        return warning(
            "ses.rate",
            f"SES_RATE_PER_SEC is {rate:g}, SES allows {account.max_send_rate:g}: the lower limit applies.",
            f"Set SES_RATE_PER_SEC={account.max_send_rate:g}, or ask AWS for a higher rate.",
        )
    return ok("ses.rate", f"{rate:g} recipients a second, SES allows {account.max_send_rate:g}.")


def check_clock(clocks: Clocks) -> Finding:
    """How far this machine's clock is from AWS's."""
    skew = clocks.ours - clocks.aws
    text = f"This machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's"
    fix = "Set the clock by NTP: `timedatectl set-ntp true`, or on the host of the container."
    if abs(skew) >= _SKEW_ERROR:
        return error("clock", f"{text}; beyond 300 s AWS refuses what we sign.", fix)
    if abs(skew) >= _SKEW_WARNING:
        return warning("clock", f"{text}; schedules and expiries are off by that.", fix)
    return ok("clock", "This machine's clock agrees with AWS's.")
