"""What became of a mail, in one word: from its row and from what SES reported about its recipient.

The glossary defines each state. Copies (cc and bcc) don't count: what happened to them is in the mail's results.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import inf
from sqlite3 import Row
from typing import NamedTuple

import orjson

from email_consumer.core.words import Word
from email_consumer.store.status import Status


class MailState(Word):
    QUEUED = "queued"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    SENT = "sent"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FAILED = "failed"
    STOPPED = "stopped"


STATUS_OF = {
    MailState.QUEUED: Status.CREATED,
    MailState.SCHEDULED: Status.CREATED,
    MailState.SENDING: Status.PROCESSED,
    MailState.IN_DOUBT: Status.PROCESSED,
    MailState.SENT: Status.SENT,
    MailState.DELIVERED: Status.SENT,
    MailState.DELAYED: Status.SENT,
    MailState.BOUNCED: Status.SENT,
    MailState.COMPLAINED: Status.SENT,
    MailState.STOPPED: Status.STOPPED,
}
"""The status of every mail in a state; a failed mail was accepted by SES or not."""

INCIDENTS = frozenset({MailState.BOUNCED, MailState.COMPLAINED, MailState.DELAYED, MailState.FAILED, MailState.STOPPED})
"""States whose mail is noted in `mail_incidents`."""

NO_COMPLAINT = frozenset({"not-spam", "auth-failure"})
"""Feedback types that are not a request to stop sending; see RFC 5965 and RFC 6591."""


class Result(NamedTuple):
    """A result of the mail's recipient, as in `email_results`."""

    kind: str
    detail: str = ""


class StateAndReason(NamedTuple):
    state: MailState
    reason: str | None
    """What SES says of a bounce, complaint, delay or rejection; otherwise the row's error."""


# SQL. What became of a mail's own recipient; links that were clicked don't matter.
RESULTS = """
(SELECT json_group_array(json_array(kind, detail)) FROM (
    SELECT DISTINCT status AS kind, iif(status IN ('Open', 'Click'), '', detail) AS detail FROM email_results
    WHERE request_id = mail.id AND +recipient = coalesce(mail.address, mail.email) -- not by the index of recipients
))
"""


def read_state(row: Row, now: float) -> StateAndReason:
    """The state of a row of `email_requests` with its `RESULTS` as `results`."""
    due_at = row["scheduled_at"]
    is_later = due_at is not None and due_at > now
    return known_state(row["status"], row["error"], row["results"], in_doubt=bool(row["in_doubt"]), is_later=is_later)


@lru_cache(maxsize=512)  # most mail has one of a few states, with the same results and no error
def known_state(status: int, error: str | None, results: str, *, in_doubt: bool, is_later: bool) -> StateAndReason:
    """The state of a mail, with its `RESULTS` as the query returns them; `is_later`: it is due in the future."""
    found = [Result(kind, detail) for kind, detail in orjson.loads(results)]
    return mail_state(status, error, found, in_doubt=in_doubt, due_at=inf if is_later else None, now=0.0)


def mail_state(
    status: int, error: str | None, results: Iterable[Result], *, in_doubt: bool, due_at: float | None, now: float
) -> StateAndReason:
    """The state of a mail at `now`.

    Args:
        status: code of `email_requests`.
        error: of its row.
        results: of the mail's recipient, in any order.
        in_doubt: of its row.
        due_at: Unix seconds; None is at once.
        now: Unix seconds.
    """
    match Status(status):
        case Status.CREATED:
            return StateAndReason(MailState.SCHEDULED if due_at and due_at > now else MailState.QUEUED, error)
        case Status.PROCESSED:
            return StateAndReason(MailState.IN_DOUBT if in_doubt else MailState.SENDING, error)
        case Status.SENT:
            return _after_sending(error, {(result.kind, result.detail) for result in results})
        case Status.FAILED:
            return StateAndReason(MailState.FAILED, error)
        case Status.STOPPED:
            return StateAndReason(MailState.STOPPED, error)


def _after_sending(error: str | None, results: set[tuple[str, str]]) -> StateAndReason:
    """The worst wins, except that a soft bounce or a delay ends with the delivery."""
    details: dict[str, str] = {}
    for kind, detail in sorted(results):
        if kind == "Bounce" and detail.partition("/")[0] == "Transient":
            kind = "SoftBounce"  # noqa: PLW2901 - also what an out-of-office reply is
        if kind != "Complaint" or detail.partition("/")[0] not in NO_COMPLAINT:
            details[kind] = detail
    delivered = not details.keys().isdisjoint({"Delivery", "Open", "Click"})
    for kind, state, final in _ORDER:
        if kind in details and (final or not delivered):
            return StateAndReason(state, details[kind] or error)
    return StateAndReason(MailState.DELIVERED if delivered else MailState.SENT, error)


_ORDER = (
    ("Complaint", MailState.COMPLAINED, True),
    ("Reject", MailState.FAILED, True),
    ("Rendering Failure", MailState.FAILED, True),
    ("Bounce", MailState.BOUNCED, True),
    ("SoftBounce", MailState.BOUNCED, False),
    ("DeliveryDelay", MailState.DELAYED, False),
)
"""Kinds of result with the state that they lead to, and whether it stays after a delivery."""
