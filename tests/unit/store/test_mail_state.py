"""What became of a mail: each state, and which of several wins."""

from collections.abc import Mapping

import pytest

from email_consumer.store.mail_state import STATUS_OF, MailState, Result, mail_state
from email_consumer.store.status import Status

_NOW = 1_000.0
_SEND, _DELIVERY, _OPEN = Result("Send"), Result("Delivery"), Result("Open")
_HARD, _SOFT = Result("Bounce", "Permanent/General"), Result("Bounce", "Transient/MailboxFull")
_UNDETERMINED = Result("Bounce", "Undetermined")
_COMPLAINT, _NO_SPAM = Result("Complaint", "abuse"), Result("Complaint", "not-spam")
_DELAY, _REJECT = Result("DeliveryDelay", "MailboxFull"), Result("Reject", "Bad content")


def _state(status: Status, *results: Result, **row: object) -> tuple[MailState, str | None]:
    values: Mapping[str, object] = {"error": None, "in_doubt": False, "due_at": None} | row
    found = mail_state(status, results=results, now=_NOW, **values)  # type: ignore[arg-type]
    return found.state, found.reason


@pytest.mark.parametrize(
    ("status", "row", "state"),
    [
        (Status.CREATED, {}, MailState.QUEUED),
        (Status.CREATED, {"due_at": _NOW + 1}, MailState.SCHEDULED),
        (Status.CREATED, {"due_at": _NOW}, MailState.QUEUED),
        (Status.PROCESSED, {}, MailState.SENDING),
        (Status.PROCESSED, {"in_doubt": True}, MailState.IN_DOUBT),
        (Status.SENT, {}, MailState.SENT),
        (Status.FAILED, {}, MailState.FAILED),
        (Status.STOPPED, {}, MailState.STOPPED),
    ],
)
def test_by_the_row_alone(status: Status, row: dict[str, object], state: MailState) -> None:
    assert _state(status, error="an error", **row) == (state, "an error")


@pytest.mark.parametrize(
    ("results", "state", "reason"),
    [
        ([_SEND], MailState.SENT, None),
        ([_SEND, _DELIVERY], MailState.DELIVERED, None),
        ([_OPEN], MailState.DELIVERED, None),
        ([Result("Click")], MailState.DELIVERED, None),
        ([_DELAY], MailState.DELAYED, "MailboxFull"),
        ([_DELAY, _DELIVERY], MailState.DELIVERED, None),
        ([_HARD], MailState.BOUNCED, "Permanent/General"),
        ([_UNDETERMINED], MailState.BOUNCED, "Undetermined"),
        ([_DELIVERY, _HARD], MailState.BOUNCED, "Permanent/General"),
        ([_DELAY, _SOFT], MailState.BOUNCED, "Transient/MailboxFull"),
        ([_DELIVERY, _SOFT], MailState.DELIVERED, None),
        ([_SOFT, _HARD], MailState.BOUNCED, "Permanent/General"),
        ([_DELIVERY, _COMPLAINT], MailState.COMPLAINED, "abuse"),
        ([_HARD, _COMPLAINT], MailState.COMPLAINED, "abuse"),
        ([_DELIVERY, _NO_SPAM], MailState.DELIVERED, None),
        ([_REJECT], MailState.FAILED, "Bad content"),
        ([Result("Rendering Failure", "template")], MailState.FAILED, "template"),
        ([Result("Invented later")], MailState.SENT, None),
    ],
)
def test_by_what_ses_reported(results: list[Result], state: MailState, reason: str | None) -> None:
    for order in (results, results[::-1], results * 2):
        assert _state(Status.SENT, *order) == (state, reason)


def test_what_happened_to_a_mail_that_was_sent_again_does_not_matter_before_it_is() -> None:
    assert _state(Status.PROCESSED, _HARD)[0] is MailState.SENDING
    assert _state(Status.CREATED, _HARD)[0] is MailState.QUEUED


def test_all_states_but_one_belong_to_one_status() -> None:
    assert set(MailState) - STATUS_OF.keys() == {MailState.FAILED}
