"""Mail waits for its send window: before its turn, after a long wait for it, and never past its expiry."""

from datetime import UTC, datetime, timedelta

import pytest

from email_consumer.core.outcome import Stopped, StopReason
from email_consumer.message.model import EmailMessage, encode
from email_consumer.message.send_window import SendWindow
from email_consumer.pipeline.pipeline import Pipeline
from email_consumer.pipeline.send_windows import SendWindows
from tests.factories import FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger
from tests.unit.pipeline.test_pipeline import DeadLetters, Ses, SmallLedger, pipeline


def closed(hours: int = 2) -> str:
    """A window that opens in more than an hour and lasts for one."""
    opens = datetime.now(UTC) + timedelta(hours=hours)
    return f"{opens:%H:00}-{opens + timedelta(hours=1):%H:00}"


def handling(ledger: GrantingLedger, sender: Ses, windows: SendWindows | None = None) -> Pipeline:
    return pipeline(ledger, DeadLetters(), sender=sender, windows=windows)


async def test_outside_its_window_mail_is_stored_until_that_opens_and_acked() -> None:
    ledger, sender, delivery = GrantingLedger(), Ses(), FakeDelivery(encode(mail(send_window=closed())))
    await handling(ledger, sender).handle(delivery)
    [later] = ledger.scheduled
    assert (delivery.calls, sender.sent, ledger.held) == (["ack"], [], ["window"])
    assert later.scheduled_at is not None
    assert timedelta(hours=1) < later.scheduled_at - datetime.now(UTC) < timedelta(hours=2, minutes=15)
    assert later.fingerprint == mail(send_window=closed()).fingerprint


@pytest.mark.parametrize(
    ("fields", "waits"),
    [
        ({}, True),
        ({"lane": "bulk"}, True),
        ({"lane": "transactional"}, False),
        ({"send_window": "always"}, False),
        ({"lane": "transactional", "send_window": "mon-sun 00:00-24:00"}, False),
    ],
)
async def test_bulk_mail_that_names_none_has_that_of_the_settings(fields: dict[str, object], waits: bool) -> None:
    ledger, sender = GrantingLedger(), Ses()
    await handling(ledger, sender, SendWindows(SendWindow.parse(closed()))).handle(
        FakeDelivery(encode(mail("u-1", **fields)))
    )
    assert (len(ledger.scheduled), len(sender.sent)) == ((1, 0) if waits else (0, 1))


async def test_mail_that_expires_before_its_window_opens_is_stopped_and_says_so() -> None:
    ledger, sender = GrantingLedger(), Ses()
    expiry = datetime.now(UTC) + timedelta(minutes=30)
    message = mail(send_window=closed(), expires_at=expiry.isoformat())
    await handling(ledger, sender).handle(FakeDelivery(encode(message)))
    [stopped] = ledger.outcomes
    assert isinstance(stopped, Stopped)
    assert stopped.reason is StopReason.EXPIRED
    assert "before its send window opens at" in stopped.detail
    assert (ledger.scheduled, sender.sent) == ([], [])


async def test_mail_too_large_to_be_stored_until_its_window_opens_becomes_a_dead_letter_and_is_not_sent() -> None:
    ledger, sender, dead_letters = SmallLedger(), Ses(), DeadLetters()
    delivery = FakeDelivery(encode(mail(send_window=closed())))
    await pipeline(ledger, dead_letters, sender=sender).handle(delivery)
    reason = "it waits for its send window and can't be stored until then: max_payload leaves 9"
    assert dead_letters.reasons == [("rejected", reason)]
    assert (delivery.calls, sender.sent) == (["term"], [])


NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
"""A Friday."""
HOUR = 3_600


def waiting(windows: SendWindows, *messages: EmailMessage) -> list[float]:
    """Hours after noon until which each has to wait."""
    found = [windows.closed_until(message) for message in messages]
    return [(moment - NOON) / HOUR for moment in found if moment is not None]


def at_noon(default: str | None = None, zone: str = "UTC") -> SendWindows:
    return SendWindows(SendWindow.parse(default) if default else None, zone, clock=lambda: NOON)


def test_the_opening_is_spread_by_uuid_and_the_same_each_time() -> None:
    mails = [mail(f"u-{number}", send_window="14:00-18:00") for number in range(300)]
    hours = waiting(at_noon(), *mails)
    assert len(hours) == 300
    assert 2 <= min(hours) < 2.01
    assert 2.24 < max(hours) < 2.25
    assert waiting(at_noon(), *mails) == hours
    short = waiting(at_noon(), *(mail(f"u-{number}", send_window="14:00-14:06") for number in range(300)))
    assert 2.04 < max(short) < 2.05


def test_mail_that_expires_soon_after_the_opening_comes_before_it_does() -> None:
    expiry = "2026-11-27T14:00:30Z"
    hours = waiting(at_noon(), *(mail(f"u-{n}", send_window="14:00-18:00", expires_at=expiry) for n in range(100)))
    assert len(hours) == 100
    assert all(2 <= each < 2 + 30 / HOUR for each in hours)


@pytest.mark.parametrize(
    ("fields", "hour"),
    [
        ({}, 3),  # 15:00 in UTC, which the settings name
        ({"timezone": "Asia/Kathmandu"}, 21.25),
        ({"send_window": "15:00-16:00 America/New_York"}, 8),
        ({"send_window": "15:00-16:00 America/New_York", "timezone": "Asia/Kathmandu"}, 21.25),
        ({"send_window": "mon 15:00-16:00"}, 3 + 3 * 24),
    ],
)
def test_the_recipients_zone_counts_first_then_the_windows_then_that_of_the_settings(
    fields: dict[str, object], hour: float
) -> None:
    [found] = waiting(at_noon("15:00-16:00"), mail("u-1", **fields))
    assert hour <= found < hour + 0.25


def test_what_is_remembered_ends_with_the_opening() -> None:
    now = NOON
    windows = SendWindows(clock=lambda: now)
    message = mail(send_window="14:00-15:00")
    found = []
    for hours in (0, 1.99, 2, 2.99, 3, 26, 27):
        now = NOON + hours * HOUR
        moment = windows.closed_until(message)
        found.append(moment and int((moment - NOON) / HOUR))
    assert found == [2, 2, None, None, 26, None, 50]
