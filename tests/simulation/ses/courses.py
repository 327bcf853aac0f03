"""What can happen to one request on its way to SES and back."""

from dataclasses import dataclass

from email_consumer.core.outcome import Failed, Held, InDoubt, Rejected, SendResult, Sent, Throttled
from email_consumer.ses.transport import Answer
from tests.simulation.ses import answers

RESET = "ServerDisconnectedError: Server disconnected"
UNREADABLE = "ClientPayloadError: an answer that can't be decoded"


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """By default a connection is there, SES decides on the request as its account stands, and its answer comes back."""

    name: str
    connects: bool = True
    travel: float | None = None
    """Seconds from writing the request to its arrival; None: some milliseconds."""
    arrives: bool = True
    """Whether SES sees the request."""
    refusal: Answer | None = None
    """What SES answers instead of deciding."""
    instead: Answer | str | None = None
    """What comes back in place of SES's answer; a text is why nothing whole does."""
    answered: bool = True
    """Whether anything comes back."""
    delay: float | None = None
    """Seconds from arrival to the answer's return; None: some tens of milliseconds."""


def usual() -> Course:
    """SES decides, and answers within the usual time."""
    return Course("usual")


def answered_late(seconds: float) -> Course:
    """SES decides at once, and its answer comes `seconds` later."""
    return Course(f"answered after {seconds:g} s", delay=seconds)


def arrives_late(seconds: float) -> Course:
    """The request reaches SES `seconds` after it was written, when the client may have given it up."""
    return Course(f"arrives after {seconds:g} s", travel=seconds)


def refused(code: str, text: str | None = None, status: int | None = None) -> Course:
    """SES's own error."""
    return Course(code, refusal=answers.error(code, text, status))


def throttled() -> Course:
    return refused("TooManyRequestsException")


def no_connection() -> Course:
    """Refused, before a byte of the request was written."""
    return Course("no connection", connects=False)


def lost() -> Course:
    """The request never reaches SES, and nothing tells that."""
    return Course("lost", arrives=False, answered=False)


def unanswered() -> Course:
    """SES decides, and its answer is lost."""
    return Course("unanswered", answered=False)


def cut_before() -> Course:
    """The connection is reset before SES sees the request."""
    return Course("cut before", arrives=False, instead=RESET)


def cut_after() -> Course:
    """The connection is reset after SES has decided."""
    return Course("cut after", instead=RESET)


def unreadable() -> Course:
    """SES decides; its answer comes cut off, or in an encoding or a length that isn't true."""
    return Course("unreadable", instead=UNREADABLE)


def foreign(name: str, *, decided: bool) -> Course:
    """Something else answers, by a name of `answers.FOREIGN`; `decided`: after SES has decided."""
    where = "after" if decided else "before"
    return Course(f"{name}, {where} SES", arrives=decided, instead=answers.FOREIGN[name])


_QUOTA = "Daily message quota exceeded."
_PAUSED = "Sending paused for this account."
_CLOCK = "Signature expired: 20231114T221320Z is more than 5 min. ago"
REFUSALS: tuple[tuple[str, str | None, type[SendResult]], ...] = (
    ("TooManyRequestsException", None, Throttled),
    ("ThrottlingException", None, Throttled),
    ("LimitExceededException", None, Throttled),
    ("MessageRejected", None, Rejected),
    ("BadRequestException", None, Rejected),
    ("AccountSuspendedException", None, Held),
    ("SendingPausedException", None, Held),
    ("MailFromDomainNotVerifiedException", None, Held),
    ("NotFoundException", None, Held),
    ("TooManyRequestsException", _QUOTA, Held),
    ("MessageRejected", _PAUSED, Held),
    ("ExpiredTokenException", None, Held),
    ("InvalidSignatureException", None, Held),
    ("InvalidSignatureException", _CLOCK, Held),
    ("UnrecognizedClientException", None, Held),
    ("AccessDeniedException", None, Held),
    ("InternalFailure", None, Failed),
    ("ServiceUnavailable", None, Failed),
)
"""Codes of SES's errors, their texts where those decide, and what the client has to make of each.

None is the code's usual text.
"""


def by_result() -> dict[type[SendResult], list[Course]]:
    """A course of each kind, by what the client has to make of it within its usual 30 s, for a mail with our own sender."""
    courses: dict[type[SendResult], list[Course]] = {
        Sent: [usual(), answered_late(5), arrives_late(5)],
        InDoubt: [
            answered_late(40),
            arrives_late(40),
            lost(),
            unanswered(),
            cut_before(),
            cut_after(),
            unreadable(),
            *(foreign(name, decided=decided) for name in answers.FOREIGN for decided in (False, True)),
        ],
        Held: [no_connection()],
    }
    for code, text, result in REFUSALS:
        courses.setdefault(result, []).append(refused(code, text))
    return courses


def mixed(trouble: float) -> dict[Course, float]:
    """Weights for `Ses.behave`: this share of attempts goes wrong, in all ways but those that hold the queue, evenly."""
    groups = by_result()
    wrong = [each for result in (InDoubt, Failed, Throttled, Rejected) for each in groups[result]]
    return {usual(): 1 - trouble} | {each: trouble / len(wrong) for each in wrong}
