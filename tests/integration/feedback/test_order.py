"""Duplicated and shuffled events result in the same tables as each event once, in order."""

import asyncio
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from email_consumer.core.outcome import Failed, InDoubt
from tests.factories import event
from tests.integration.feedback.harness import FeedbackHarness, open_harness

Message = tuple[str, str]


def messages() -> list[Message]:
    """A life's worth of events of five mails, with the SNS message id of each."""
    soft = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
    published = []
    for number in range(1, 6):
        uuid, ses_id = f"u-{number}", f"ses-{number}"
        published.append(event("Send", uuid, message_id=ses_id, at=number))
        published.append(event("Open", uuid, message_id=ses_id, at=number + 20))
        published.append(event("Click", uuid, message_id=ses_id, at=number + 21, link="https://example.com"))
        published.append(event("Open", uuid, message_id=ses_id, at=number + 22, isBot=True))
        address = [f"row{number % 2}@example.com"]
        published.append(event("Bounce", uuid, message_id=ses_id, at=number + 30, to=address, **soft))
    both = ["hard@example.com"]
    published += [
        event("Delivery", "u-1", message_id="ses-1", at=33.5, to=["row1@example.com"]),
        event("Delivery", "u-1", message_id="ses-1", at=2.0),
        event("Bounce", "u-2", message_id="ses-2", at=9.0, to=both),
        event("Bounce", "u-3", message_id="ses-3", at=8.0, to=both),
        event("Complaint", "u-2", message_id="ses-2", at=40.0, to=["angry@example.com"]),
        event("Bounce", "u-4", message_id="ses-4", at=41.0, to=["angry@example.com"]),
        event(
            "Complaint", "u-3", message_id="ses-3", at=42.0, to=["glad@example.com"], complaintFeedbackType="not-spam"
        ),
        event("Delivery", "elsewhere", message_id="other", at=1.0),
        event("Bounce", None, message_id="other-2", at=1.0, to=["stranger@example.com"]),
    ]
    return [(str(uuid4()), text) for text in published]


async def prepared(harness: FeedbackHarness) -> FeedbackHarness:
    """Five mails: sent, sent, in doubt, being sent, and released after a failure."""
    for number in (1, 2):
        await harness.send(f"u-{number}", f"ses-{number}", topic_id="t")
    for number in (3, 4, 5):
        await harness.claim(f"u-{number}", topic_id="t")
    await harness.finish(InDoubt("cut"), "u-3", topic_id="t")
    await harness.finish(Failed("502"), "u-5", topic_id="t")
    return harness


async def once_in_order(path: Path, published: list[Message]) -> dict[str, Any]:
    async with open_harness(path, soft_bounce_limit=2) as harness:
        await prepared(harness)
        for sns_id, text in published:
            await harness.take(text, sns_id)
        return harness.tables()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("at_once", [True, False])
async def test_three_times_and_shuffled_is_as_once_in_order(tmp_path: Path, seed: int, at_once: bool) -> None:
    published = messages()
    expected = await once_in_order(tmp_path / "once.db", published)
    thrice = published * 3
    random.Random(seed).shuffle(thrice)
    async with open_harness(tmp_path / "shuffled.db", soft_bounce_limit=2) as harness:
        await prepared(harness)
        if at_once:
            await asyncio.gather(*(harness.take(text, sns_id) for sns_id, text in thrice))
        else:
            for sns_id, text in thrice:
                await harness.take(text, sns_id)
        assert harness.tables() == expected
        assert harness.inbox.counts.settled == 3


async def test_what_that_comes_to(tmp_path: Path) -> None:
    tables = await once_in_order(tmp_path / "once.db", messages())
    assert [(uuid, status) for uuid, status, *_ in tables["requests"]] == [(f"u-{n}", 2) for n in range(1, 6)]
    assert {kind: count for _, kind, count in tables["topics"]} == {
        "Send": 1,
        "Delivery": 2,
        "Bounce": 4,
        "Complaint": 2,
        "Open": 1,
        "MachineOpen": 1,
        "Click": 1,
    }
    assert [(address, reason) for address, reason, *_ in tables["suppressions"]] == [
        ("angry@example.com", "complaint"),
        ("hard@example.com", "hard bounce"),
        ("row0@example.com", "soft bounces"),
        ("stranger@example.com", "hard bounce"),
    ]
    assert [message_id for message_id, *_ in tables["unmatched"]] == ["other", "other-2"]
