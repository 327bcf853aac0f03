"""The account's limits and status, as SES enforces them."""

import asyncio
from typing import Any

import pytest

from sandbox_mail import simple_mail
from ses_sandbox.testing import Control


async def test_a_burst_beyond_the_rate_is_throttled(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/account", {"max_send_rate": 2})
    await ses.send_email(**simple_mail(to=["a@example.com", "b@example.com"]))

    with pytest.raises(ses.exceptions.TooManyRequestsException, match="Maximum sending rate exceeded"):
        await ses.send_email(**simple_mail(to=["a@example.com", "b@example.com"]))

    assert (await ses.get_account())["SendQuota"]["MaxSendRate"] == 2


async def test_the_quota_is_counted_in_recipients(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/account", {"max_24_hour_send": 3})
    mail = simple_mail(to=["a@example.com", "b@example.com"])
    await ses.send_email(**mail)

    with pytest.raises(ses.exceptions.TooManyRequestsException, match="Daily message quota exceeded"):
        await ses.send_email(**mail)

    quota = (await ses.get_account())["SendQuota"]
    assert quota == {"Max24HourSend": 3, "MaxSendRate": 10_000, "SentLast24Hours": 2}
    await sandbox.put("/sandbox/account", {"sent_last_24_hours": 0})
    await ses.send_email(**mail)


async def test_a_paused_or_suspended_account_sends_nothing(sandbox: Control, ses: Any) -> None:
    await sandbox.put("/sandbox/account", {"sending_enabled": False})
    with pytest.raises(ses.exceptions.SendingPausedException):
        await ses.send_email(**simple_mail())
    await sandbox.put("/sandbox/account", {"enforcement_status": "SHUTDOWN"})
    with pytest.raises(ses.exceptions.AccountSuspendedException):
        await ses.send_email(**simple_mail())
    account = await ses.get_account()
    assert (account["SendingEnabled"], account["EnforcementStatus"]) == (False, "SHUTDOWN")

    await sandbox.put("/sandbox/account", {"sending_enabled": True, "enforcement_status": "HEALTHY"})
    await ses.send_email(**simple_mail())


async def test_waiting_ends_with_the_mail_that_was_awaited(sandbox: Control, ses: Any) -> None:
    waiting = asyncio.create_task(sandbox.get("/messages/wait", count=2, uuid="awaited"))
    for uuid in ("other", "awaited", "awaited"):
        await ses.send_email(**simple_mail(uuid))

    assert (await waiting) == {"reached": True, "count": 2}
