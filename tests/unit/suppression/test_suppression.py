"""Which events suppress, and which of several reasons remains."""

import itertools
from dataclasses import replace

import pytest

from email_consumer.feedback.application import suppressions_of
from email_consumer.feedback.events import Event, Kind, RecipientResult
from email_consumer.suppression.suppression import Reason, Suppression, takes_effect


def event(kind: Kind, *recipients: RecipientResult) -> Event:
    return Event(kind, "m", None, None, 5.0, 5.0, recipients, machine=False, raw="{}")


@pytest.mark.parametrize(
    ("kind", "recipient", "reason"),
    [
        (Kind.BOUNCE, RecipientResult("a@b.example", "Permanent", "General"), Reason.HARD_BOUNCE),
        (Kind.BOUNCE, RecipientResult("a@b.example", "Permanent", "General", "smtp; 550 4.4.7 Message expired"), None),
        (
            Kind.BOUNCE,
            RecipientResult("a@b.example", "Permanent", "General", "smtp; 550 5.4.4.7 unknown"),
            Reason.HARD_BOUNCE,
        ),
        (Kind.BOUNCE, RecipientResult("a@b.example", "Transient", "MailboxFull"), None),
        (Kind.BOUNCE, RecipientResult("a@b.example", "Undetermined", "Undetermined"), None),
        (Kind.COMPLAINT, RecipientResult("a@b.example", "abuse"), Reason.COMPLAINT),
        (Kind.COMPLAINT, RecipientResult("a@b.example", ""), Reason.COMPLAINT),
        (Kind.COMPLAINT, RecipientResult("a@b.example", "not-spam"), None),
        (Kind.COMPLAINT, RecipientResult("a@b.example", "auth-failure"), None),
        (Kind.DELIVERY, RecipientResult("a@b.example"), None),
        (Kind.REJECT, RecipientResult("a@b.example", "Bad content"), None),
        (Kind.DELIVERY_DELAY, RecipientResult("a@b.example", "MailboxFull"), None),
    ],
)
def test_hard_bounces_and_complaints_and_only_those(
    kind: Kind, recipient: RecipientResult, reason: Reason | None
) -> None:
    assert [each.reason for each in suppressions_of(event(kind, recipient))] == ([reason] if reason else [])


def test_the_detail_says_what_the_server_said() -> None:
    [found] = suppressions_of(event(Kind.BOUNCE, RecipientResult("a@b.example", "Permanent", "NoEmail", "550 unknown")))
    assert found == Suppression("a@b.example", Reason.HARD_BOUNCE, "Permanent/NoEmail: 550 unknown", "event", 5.0)


def test_in_whatever_order_they_come_the_same_one_remains() -> None:
    every = [
        Suppression("a@b.example", reason, detail, "event", moment)
        for reason in (Reason.HARD_BOUNCE, Reason.COMPLAINT, Reason.MANUAL)
        for moment, detail in ((1.0, "x"), (2.0, "y"))
    ]
    for order in itertools.permutations(every):
        known: Suppression | None = None
        for new in order:
            known = new if takes_effect(known, new) else known
        assert known == Suppression("a@b.example", Reason.COMPLAINT, "x", "event", 1.0)


def test_after_a_removal_only_what_happens_later_counts() -> None:
    removed = Suppression("a@b.example", Reason.COMPLAINT, "", "event", 1.0, removed_at=10.0)
    bounce = Suppression("a@b.example", Reason.HARD_BOUNCE, "", "event", 9.0)
    assert not takes_effect(removed, bounce)
    assert takes_effect(removed, replace(bounce, created_at=11.0))
