"""What the reputation of topics and tenants hears of mails: each thing once for a mail, however often SES reports it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.factories import event
from tests.integration.feedback.harness import FeedbackHarness, open_harness

COPIES = ["jane@example.com", "b@example.com", "c@example.com"]
AUTOMATIC_REPLY: dict[str, Any] = {"bounceType": "Transient", "bounceSubType": "General"}


def heard(harness: FeedbackHarness) -> dict[str, int]:
    return {
        "mails": sum(report.first for report in harness.reports),
        "bounced": sum(report.bounced for report in harness.reports),
        "complained": sum(report.complained for report in harness.reports),
    }


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("kind", "what"), [("Bounce", "bounced"), ("Complaint", "complained")])
async def test_a_mail_counts_once_though_each_of_its_copies_is_reported(
    path: Path, kind: str, what: str, together: bool
) -> None:
    async with open_harness(path) as harness:
        await harness.send(cc=COPIES[1:])
        taken = [harness.take(event(kind, to=[address])) for address in COPIES]
        if together:
            await asyncio.gather(*taken)
        else:
            for each in taken:
                await each
        assert heard(harness) == {"mails": 1, "bounced": 0, "complained": 0} | {what: 1}


async def test_an_automatic_reply_is_no_further_mail(path: Path) -> None:
    async with open_harness(path) as harness:
        for number in (1, 2):
            await harness.send(f"u-{number}", f"ses-{number}")
            await harness.take(event("Delivery", f"u-{number}", message_id=f"ses-{number}"))
        await harness.take(event("Bounce", "u-1", **AUTOMATIC_REPLY))
        assert heard(harness) == {"mails": 2, "bounced": 0, "complained": 0}


async def test_what_comes_later_still_counts(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        await harness.take(event("Bounce", **AUTOMATIC_REPLY))
        await harness.take(event("Bounce", bounceSubType="OnAccountSuppressionList"))
        await harness.take(event("Complaint", complaintFeedbackType="not-spam"))
        assert heard(harness) == {"mails": 1, "bounced": 0, "complained": 0}
        await harness.take(event("Bounce"))
        await harness.take(event("Complaint"))
        assert heard(harness) == {"mails": 1, "bounced": 1, "complained": 1}
