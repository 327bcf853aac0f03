"""A week of 20,000 mails in 40 topics: written by the ledger and the inbox of SES's events, with the clock turned back."""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

from email_consumer.core.ledger import Claim
from email_consumer.core.outcome import Exhausted, Outcome, Rejected, Sent, Stopped
from email_consumer.message.model import EmailMessage
from email_consumer.suppression.suppression import Reason
from tests.factories import ORIGIN, mail
from tests.integration.feedback.harness import FeedbackHarness, open_harness

KINDS = ("newsletter", "spring-sale", "product-news", "webinar", "survey", "invoices", "loyalty", "onboarding")
TOPICS = [f"{kind}-{number}" for number in range(1, 6) for kind in KINDS]
"""The earliest first; five a day."""
MAILS = 500
"""Of each topic."""
COLD = "loyalty-5"
"""A list that nobody should have bought: one in eight of its addresses does not exist."""
DOUBTFUL = 6
"""Mails of the last topic that were being sent when the process ended."""
_LONG = "webinar-5"
"""Its subjects are as long as some people write them."""
_DOMAINS = ("gmail.example", "outlook.example", "yahoo.example", "gmx.example", "naver.example", "company.example")
_NAMES = (
    "anna.meier",
    "bob.smith",
    "chiara.rossi",
    "daniel.kim",
    "emma.jones",
    "farid.nasser",
    "grace.lee",
    "hugo.blanc",
)
_SUPPRESSED = 199
"""Of each 250, the one whose address is on the suppression list."""
_DAY, _GROUP, _PACE = 86_400, 125, 300
"""Seconds; mails at once; seconds between two groups."""
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Thunderbird/128"


class _Clock:
    """Unix time as the code under test reads it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def write_past_week(path: Path) -> None:
    """A new database with all of it."""
    now, clock = time.time(), _Clock()
    today = datetime.now(ZoneInfo(zone_at_noon())).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    days = len(TOPICS) // 5
    with mock.patch.object(time, "time", clock):
        clock.now = today - days * _DAY
        async with open_harness(path) as site:
            for place in range(len(TOPICS)):
                age = days - 1 - place // 5
                # At noon, and those of today within the last two hours.
                clock.now = (
                    today - age * _DAY + _DAY / 2 + place % 5 * 1_200 if age else now - 7_000 + place % 5 * 1_200
                )
                for first in range(0, MAILS, _GROUP):
                    await asyncio.gather(
                        *(_send(site, place, number, clock) for number in range(first, first + _GROUP))
                    )
                    clock.now += _PACE
            doubtful = (_mail(len(TOPICS) - 1, MAILS + number) for number in range(DOUBTFUL))
            await asyncio.gather(*(site.ledger.claim(each, ORIGIN) for each in doubtful))


@cache
def zone_at_noon() -> str:
    """A zone where it was noon when the tests began: yesterday stays what it is, whenever they run."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


def _mail(place: int, number: int) -> EmailMessage:
    topic = TOPICS[place]
    name, domain = _NAMES[number % len(_NAMES)], _DOMAINS[(number + place) % len(_DOMAINS)]
    subject = f"{topic.replace('-', ' ').capitalize()}: what is new for you"
    if topic == _LONG:
        subject += (
            ", how to take part, who will speak about which part of it, and what you should bring along on that day" * 2
        )
    return mail(
        f"{topic}-{number:03}",
        email=f"{name}.{place}.{number}@{domain}",
        subject=subject,
        topic_id=topic,
        **{"tenant": ("acme", "globex", "initech")[place % 3]} if place % 4 else {},
        **{"lane": "transactional"} if topic.startswith("invoices") else {},
    )


async def _send(site: FeedbackHarness, place: int, number: int, clock: _Clock) -> None:
    """One mail, and what SES reports about it."""
    message = _mail(place, number)
    if number % 250 == _SUPPRESSED:
        await site.suppressions.add(message.email, Reason.MANUAL, "asked by phone", "operator")
        stopped = await site.ledger.claim(message, ORIGIN)
        assert isinstance(stopped, Stopped)
        await site.ledger.finish(message, stopped, ORIGIN)
        return
    assert isinstance(await site.ledger.claim(message, ORIGIN), Claim)
    outcome = _outcome(message, number)
    await site.ledger.finish(message, outcome, ORIGIN)
    if isinstance(outcome, Sent):
        for kind, own in _reports(place, number, message.email):
            await site.take(_record(kind, own, message, outcome.message_id, clock.now))


def _outcome(message: EmailMessage, number: int) -> Outcome:
    match number % 250:
        case 99:
            return Rejected("MessageRejected: Email address is not verified.")
        case 149:
            return Exhausted("InternalFailure: 5 attempts")
        case _:
            return Sent(f"ses-{message.uuid}")


def _reports(place: int, number: int, email: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Kind and own part of each event, in their order."""
    to = [{"emailAddress": email}]
    if number % (8 if TOPICS[place] == COLD else 100) == 7:
        diagnostic = "smtp; 550 5.1.1 user unknown"
        yield "Bounce", _bounce("Permanent", "NoEmail", [to[0] | {"diagnosticCode": diagnostic}])
        return
    if number % 100 == 57:
        yield "Bounce", _bounce("Transient", "MailboxFull", to)
        return
    if number % 125 == 11:
        yield "DeliveryDelay", {"delayType": "MailboxFull", "delayedRecipients": to}
    yield "Delivery", {"recipients": [email]}
    if number % 4 == 0 and place % 2:
        yield "Open", {"ipAddress": "192.0.2.1", "userAgent": _BROWSER}
    if number == 33 and place % 4 == 0:
        yield "Complaint", {"complainedRecipients": to, "complaintFeedbackType": "abuse"}


def _bounce(kind: str, subtype: str, recipients: list[dict[str, str]]) -> dict[str, object]:
    return {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": recipients}


def _record(kind: str, own: dict[str, object], message: EmailMessage, message_id: str, at: float) -> str:
    """As SES writes it, a few seconds after it took the mail."""
    sent, happened = (datetime.fromtimestamp(moment, UTC).isoformat() for moment in (at, at + 4))
    common = {
        "messageId": message_id,
        "timestamp": sent,
        "destination": [message.email],
        "tags": {"uuid": [message.uuid], "instance": ["test"]},
    }
    name = "deliveryDelay" if kind == "DeliveryDelay" else kind.lower()
    return json.dumps({"eventType": kind, "mail": common, name: own | {"timestamp": happened}})
