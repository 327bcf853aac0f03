"""What mails are judged together by, and what is reported of one of them."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from email_consumer.message.lane import Lane


class MailGroup(NamedTuple):
    topic_id: str | None
    tenant: str | None
    lane: Lane


Tally = Counter[MailGroup]
"""Mails that SES accepted and nobody has counted yet. They are taken out to be judged."""


@dataclass(frozen=True, slots=True)
class MailReport:
    """What an event from SES says of a mail."""

    group: MailGroup
    sent_at: float
    """Unix seconds. However late the event, it counts for that time."""
    bounced: bool = False
    """Hard."""
    complained: bool = False
