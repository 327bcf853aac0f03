"""Bounces, complaints, operators and recipients put addresses on the list; the gate and the ledger then stop mail."""

import time
from pathlib import Path
from typing import Any

import pytest

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import LeftOut, Sent, Stopped, StopReason
from email_consumer.suppression.suppression import BULK, Reason
from tests.factories import ORIGIN, event, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness

FULL = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}


def stopped(harness: FeedbackHarness, address: str = "jane@example.com") -> str | None:
    """Why the next mail to the address would be stopped."""
    found = harness.gate.check(mail("next", email=address), ORIGIN)
    if found is None:
        return None
    assert found.reason is StopReason.SUPPRESSED
    assert found.detail.startswith(f"{address.lower()}: ")  # whose address it was
    return found.detail.removeprefix(f"{address.lower()}: ")


async def soft_bounce(harness: FeedbackHarness, number: int, **changed: object) -> None:
    """One of a row of mails that each bounce softly, at `number` seconds."""
    await harness.send(f"soft-{number}", f"soft-ses-{number}")
    fields = FULL | changed
    await harness.take(event("Bounce", f"soft-{number}", message_id=f"soft-ses-{number}", at=number, **fields))


@pytest.mark.parametrize(("kind", "reason"), [("Bounce", "hard bounce"), ("Complaint", "complaint")])
async def test_the_next_mail_is_stopped_with_its_reason_until_somebody_removes_the_address(
    path: Path, kind: str, reason: str
) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        await harness.take(event(kind))
        assert stopped(harness, "JANE@example.com") == reason
        assert await harness.claim("u-2") == Stopped(StopReason.SUPPRESSED, f"jane@example.com: {reason}")
        assert await harness.suppressions.remove("jane@example.com")
        assert stopped(harness) is None
        assert isinstance(await harness.claim("u-3"), Claim)
        assert not await harness.suppressions.remove("jane@example.com")


async def test_a_bounce_of_a_copy_is_the_copys_alone(path: Path) -> None:
    copied: dict[str, Any] = {"topic_id": "t", "cc": ["Archive <Archive@example.com>"], "bcc": ["b@example.com"]}
    to = ["jane@example.com", "archive@example.com", "b@example.com"]
    async with open_harness(path) as harness:
        await harness.send(**copied)
        await harness.take(event("Bounce", to=["archive@example.com"]))
        await harness.take(event("Delivery", to=["jane@example.com", "b@example.com"]))
        assert stopped(harness) is None
        assert stopped(harness, "archive@example.com") == "hard bounce"
        assert harness.rows("SELECT status, error FROM email_requests") == [(2, None)]
        permitted, left_out = harness.gate.permitted(mail("u-2", email=to[0], **copied))
        assert [each.addr_spec.lower() for each in permitted.all_recipients] == [to[0], to[2]]
        assert left_out == (LeftOut("archive@example.com", "hard bounce"),)
        assert isinstance(await harness.claim("u-2", **copied), Claim)
        await harness.finish(Sent("ses-2", left_out), "u-2", **copied)
        own = "SELECT r.status, recipient, detail, raw FROM email_results AS r JOIN email_requests AS m ON m.id = request_id WHERE uuid = 'u-2'"
        assert harness.rows(own) == [("Suppressed", "archive@example.com", "hard bounce", '{"reason":"hard bounce"}')]
        await harness.take(event("Send", "u-2", message_id="ses-2", to=[to[0], to[2]]))
        topic = dict(harness.rows("SELECT kind, count FROM topic_results"))
        assert topic == {"Bounce": 1, "Delivery": 2, "Suppressed": 1, "Send": 2}


async def test_the_list_survives_a_restart(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        await harness.take(event("Bounce"))
        await harness.suppressions.add("joe@example.com", Reason.MANUAL, "asked by phone", "api")
        await harness.suppressions.remove("joe@example.com")
        await harness.suppressions.add("ann@example.com", Reason.MANUAL, "", "api")
    async with open_harness(path) as harness:
        assert (stopped(harness), stopped(harness, "ann@example.com")) == ("hard bounce", "manual")
        assert stopped(harness, "joe@example.com") is None


async def test_a_removal_that_never_reached_the_gate_is_repeated_at_startup(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.suppressions.add("joe@example.com", Reason.MANUAL, "", "api")
        await harness.suppressions.remove("joe@example.com")
        harness.gate.suppress({"joe@example.com": "manual"})  # as workers know it whose sidecar was killed in between
        await harness.suppressions.load()
        assert stopped(harness, "joe@example.com") is None


async def test_a_release_after_a_delivery_that_never_reached_the_gate_is_repeated_at_startup(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=2) as harness:
        await soft_bounce(harness, 1)
        await soft_bounce(harness, 2)
        await harness.take(event("Delivery", "soft-1", message_id="soft-ses-1", at=1.5))
        harness.gate.suppress({"jane@example.com": "soft bounces"})  # the sidecar was killed in between
        await harness.suppressions.load()
        assert stopped(harness) is None


async def test_a_removed_address_comes_back_only_by_what_happens_later(path: Path) -> None:
    async with open_harness(path) as harness:
        await harness.send()
        await harness.take(event("Bounce"))
        await harness.suppressions.remove("jane@example.com")
        await harness.take(event("Complaint", at=5.0))  # long before the removal, reported late
        assert stopped(harness) is None
        await harness.suppressions.add("jane@example.com", Reason.UNSUBSCRIBED, "", "recipient")
        assert stopped(harness) == "unsubscribed"


async def test_who_unsubscribes_after_a_removal_is_suppressed_though_the_clock_was_put_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_harness(path) as harness:
        await harness.suppressions.add("jane@example.com", Reason.UNSUBSCRIBED, "", "recipient")
        await harness.suppressions.remove("jane@example.com", BULK)
        monkeypatch.setattr("time.time", lambda now=time.time: now() - 600)
        entry = await harness.suppressions.add("jane@example.com", Reason.UNSUBSCRIBED, "", "recipient")
        assert entry.active
        assert stopped(harness) == "unsubscribed"


async def test_soft_bounces_count_in_a_row(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=3) as harness:
        await soft_bounce(harness, 1)
        await soft_bounce(harness, 2)
        await harness.take(event("Delivery", "soft-2", message_id="soft-ses-2", at=2.5))
        await soft_bounce(harness, 3)
        await soft_bounce(harness, 4)
        assert stopped(harness) is None
        await harness.take(event("Bounce", "soft-4", message_id="soft-ses-4", at=4.5, **FULL))  # the same mail again
        assert stopped(harness) is None
        await soft_bounce(harness, 5)
        assert stopped(harness) == "soft bounces"


async def test_a_delivery_that_is_reported_late_interrupts_the_series(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=2) as harness:
        await soft_bounce(harness, 1)
        await soft_bounce(harness, 2)
        assert stopped(harness) == "soft bounces"
        await harness.take(event("Delivery", "soft-1", message_id="soft-ses-1", at=1.5))
        assert stopped(harness) is None
        assert await harness.suppressions.page(10) == []


async def test_after_a_removal_the_series_restarts(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=2) as harness:
        await soft_bounce(harness, 1)
        await soft_bounce(harness, 2)
        await harness.suppressions.remove("jane@example.com")
        await soft_bounce(harness, 3)  # SES's clock says long before the removal
        assert stopped(harness) is None


async def test_without_a_limit_no_row_of_soft_bounces_does_anything(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=0) as harness:
        for number in (1, 2, 3):
            await soft_bounce(harness, number)
        assert stopped(harness) is None


NOT_OF_THE_MAILBOX = [
    ("Transient", "General"),  # out of office
    ("Transient", "MessageTooLarge"),
    ("Transient", "ContentRejected"),
    ("Transient", "AttachmentRejected"),
    ("Transient", "CustomTimeoutExceeded"),
    ("Transient", "NewAtSes"),
    ("Transient", ""),
    ("Undetermined", "Undetermined"),
]


@pytest.mark.parametrize(("kind", "subtype"), NOT_OF_THE_MAILBOX)
async def test_bounces_that_say_nothing_of_the_mailbox_never_suppress(path: Path, kind: str, subtype: str) -> None:
    async with open_harness(path, soft_bounce_limit=1) as harness:
        for number in range(5):
            await soft_bounce(harness, number, bounceType=kind, bounceSubType=subtype)
        assert stopped(harness) is None
        assert harness.rows("SELECT count(*) FROM email_results") == [(5,)]


async def test_out_of_office_replies_neither_count_nor_break_a_row(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=2) as harness:
        await soft_bounce(harness, 1)
        await soft_bounce(harness, 2, bounceSubType="General")
        assert stopped(harness) is None
        await soft_bounce(harness, 3)
        assert stopped(harness) == "soft bounces"


async def test_a_hard_bounce_stands_whatever_is_delivered_later(path: Path) -> None:
    async with open_harness(path, soft_bounce_limit=1) as harness:
        await soft_bounce(harness, 1)
        await harness.take(event("Bounce", "soft-1", message_id="soft-ses-1", at=2.0))
        await harness.take(event("Delivery", "soft-1", message_id="soft-ses-1", at=3.0))
        assert stopped(harness) == "hard bounce"
