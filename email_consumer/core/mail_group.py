"""What mails are judged together by, and what is reported of one of them."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from email_consumer.message.lane import Lane


class MailGroup(NamedTuple):
    topic_id: str | None
    tenant: str | None
    lane: Lane


Tally = Counter[tuple[str | None, str | None, bool]]
"""Mails that SES accepted and nobody has counted yet, by topic, tenant, and whether they are bulk mail. They are taken out to be judged.

A plain tuple, since one is made for each mail: a `MailGroup` takes ten times as long to make and to hash.
"""


def groups(tally: Tally) -> list[tuple[MailGroup, int]]:
    """The mails of each group."""
    lanes = {True: Lane.BULK, False: Lane.TRANSACTIONAL}
    return [(MailGroup(topic_id, tenant, lanes[bulk]), mails) for (topic_id, tenant, bulk), mails in tally.items()]


@dataclass(frozen=True, slots=True)
class MailReport:
    """What an event from SES says of a mail that was not known before."""

    group: MailGroup
    sent_at: float
    """Unix seconds. However late the event, it counts for that time."""
    first: bool = True
    """Nothing was reported of the mail before."""
    bounced: bool = False
    """Hard."""
    complained: bool = False
