"""What is published: one event for each outcome and for each recipient's result, with what is known of the mail."""

from pathlib import Path
from typing import Any

from nats.aio.client import Client

from email_consumer.core.outcome import (
    Conflict,
    Failed,
    InDoubt,
    LeftOut,
    Outcome,
    Parked,
    Rejected,
    Sent,
    Stopped,
    StopReason,
    Throttled,
)
from email_consumer.store.erasure import erase
from email_consumer.suppression.suppression import Reason
from tests.factories import ORIGIN as SOURCE
from tests.factories import STARTED, event, mail
from tests.integration.outbox.harness import ORIGIN, recording, stored


def without_moment(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name not in {"id", "at", "seq"}} for each in found]


async def test_a_mail_that_was_sent(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await outbox.harness.send(topic_id="t", tenant="acme")
        await outbox.publish_all()
    [found] = await stored(client)
    assert found == {
        "id": found["id"],
        "type": "sent",
        "at": found["at"],
        "uuid": "u-1",
        "state": "sent",
        "topic_id": "t",
        "lane": "bulk",
        "tenant": "acme",
        "email": "Jane@example.com",
        "message_id": "ses-1",
        "attempt": 1,
        "source": "nats",
        "seq": 1,
    }
    assert found["id"].startswith(f"evt_{ORIGIN[:16]}000000000001")


async def test_each_outcome_has_its_event(path: Path, client: Client) -> None:
    outcomes: list[Outcome] = [
        Rejected("MessageRejected"),
        Stopped(StopReason.CANCELLED),
        InDoubt("read time-out"),
        Conflict("other recipients"),
        Failed("503"),
        Throttled("429"),
    ]
    async with recording(path, client) as outbox:
        for number, outcome in enumerate(outcomes):
            await outbox.harness.claim(f"u-{number}")
            await outbox.harness.finish(outcome, f"u-{number}")
        await outbox.harness.finish(Parked("no event came"), "u-2")
        await outbox.harness.ledger.schedule(mail("later", scheduled_at="2099-01-01T00:00:00Z"), SOURCE)
        await outbox.publish_all()
    found = [(each["type"], each["uuid"], each.get("reason")) for each in await stored(client)]
    assert found == [
        ("failed", "u-0", "MessageRejected"),
        ("in_doubt", "u-2", "read time-out"),
        ("conflict", "u-3", "other recipients"),
        ("failed", "u-2", "no event came"),
        ("scheduled", "later", None),
    ]


async def test_mail_that_is_stopped_before_it_is_claimed(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await outbox.harness.finish(Stopped(StopReason.SUPPRESSED, "hard bounce"))
        await outbox.publish_all()
    [found] = await stored(client)
    assert (found["type"], found["reason"]) == ("stopped", "suppressed: hard bounce")


async def test_each_recipient_of_a_bounce_with_what_its_server_said(path: Path, client: Client) -> None:
    recipients = [
        {"emailAddress": "Jane@example.com", "diagnosticCode": "smtp; 550 unknown"},
        {"emailAddress": "joe@example.com", "diagnosticCode": 7},
    ]
    async with recording(path, client) as outbox:
        await outbox.harness.send(cc=["joe@example.com"])
        await outbox.harness.take(event("Bounce", bouncedRecipients=recipients, at=2.5))
        await outbox.publish_all()
    _, jane, joe = await stored(client)
    assert without_moment([jane]) == [
        {
            "type": "bounced",
            "uuid": "u-1",
            "state": "bounced",
            "lane": "bulk",
            "email": "Jane@example.com",
            "recipients": ["jane@example.com"],
            "message_id": "ses-1",
            "source": "nats",
            "reason": "Permanent/General",
            "bounce": {"type": "Permanent", "subtype": "General", "diagnostic": "smtp; 550 unknown"},
        }
    ]
    assert joe["recipients"] == ["joe@example.com"]
    assert joe["bounce"]["diagnostic"] == "7"
    assert jane["at"] == "2023-11-14T22:13:22.500Z"
    assert STARTED == 1_700_000_000


async def test_what_recipients_do(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await outbox.harness.send()
        for kind in ("Delivery", "DeliveryDelay", "Complaint", "Open", "Click", "Reject", "Subscription", "Send"):
            await outbox.harness.take(event(kind))
        await outbox.harness.suppressions.add("a@example.com", Reason.UNSUBSCRIBED, "", "recipient", "news")
        await outbox.publish_all()
    found = await stored(client)
    kinds = ["sent", "delivered", "delayed", "complained", "opened", "clicked", "failed", "unsubscribed"]
    assert [each["type"] for each in found] == kinds
    assert {each["type"]: each.get("machine") for each in found if "machine" in each} == {
        "opened": False,
        "clicked": False,
    }
    assert without_moment(found)[-1] == {
        "type": "unsubscribed",
        "email": "a@example.com",
        "unsubscribe_group": "news",
    }


async def test_the_state_is_what_the_mail_has_come_to(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await outbox.harness.ledger.schedule(mail("later", scheduled_at="2099-01-01T00:00:00Z"), SOURCE)
        await outbox.harness.claim()
        await outbox.harness.finish(InDoubt("killed"))
        await outbox.publish_all()
        for kind in ("Delivery", "Open", "Complaint", "Click"):
            await outbox.harness.take(event(kind))
            await outbox.publish_all()
    assert [(each["type"], each["state"]) for each in await stored(client)] == [
        ("scheduled", "scheduled"),
        ("in_doubt", "in_doubt"),
        ("sent", "delivered"),  # both were recorded at once
        ("delivered", "delivered"),
        ("opened", "delivered"),
        ("complained", "complained"),
        ("clicked", "complained"),
    ]


async def test_a_long_diagnostic_is_cut(path: Path, client: Client) -> None:
    recipients = [{"emailAddress": "Jane@example.com", "diagnosticCode": "x" * 200_000}]
    async with recording(path, client) as outbox:
        await outbox.harness.send()
        await outbox.harness.take(event("Bounce", bouncedRecipients=recipients))
        await outbox.publish_all()
    assert (await stored(client))[1]["bounce"]["diagnostic"] == "x" * 1_000


async def test_a_copy_that_the_mail_went_without(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await outbox.harness.claim()
        await outbox.harness.finish(Sent("ses-1", left_out=(LeftOut("joe@example.com", "complaint"),)))
        await outbox.publish_all()
    sent, left_out = await stored(client)
    assert (sent["type"], left_out["type"], left_out["recipients"]) == ("sent", "stopped", ["joe@example.com"])


async def test_what_was_in_doubt_and_turns_out_to_be_sent_has_both_events(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await outbox.harness.claim()
        await outbox.harness.finish(InDoubt("killed"))
        await outbox.harness.take(event("Delivery"))
        await outbox.publish_all()
    found = await stored(client)
    assert [(each["type"], each.get("reason")) for each in found] == [
        ("in_doubt", "killed"),
        ("sent", None),
        ("delivered", None),
    ]


async def test_an_erasure_reaches_what_waits(path: Path, client: Client) -> None:
    async with recording(path, client) as outbox:
        await outbox.harness.send(subject="to jane@example.com")
        await outbox.harness.claim("u-2")
        await outbox.harness.finish(Rejected("jane@example.com is not verified"), "u-2")
        await outbox.harness.take(event("Bounce"))
        await outbox.harness.suppressions.add("jane@example.com", Reason.UNSUBSCRIBED, "", "recipient")
        await erase(outbox.harness.database, "jane@example.com")
        await outbox.publish_all()
    found = await stored(client)
    assert [each["type"] for each in found] == ["sent", "failed", "bounced"]
    assert "jane" not in str(found).lower()
