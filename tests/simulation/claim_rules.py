"""What must hold of the claims on one mail, seen from outside: who may have it when, and how many attempts that makes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from email_consumer.core.outcome import InDoubt, Sent
from tests.simulation.claims import Asked
from tests.simulation.ses.exchange import Exchange

_REJECTIONS = frozenset({"MessageRejected", "BadRequestException", "NotFoundException"})
_COUNTED = (
    frozenset({"accepted", "InternalFailure", "ServiceUnavailable", "InternalServiceErrorException"}) | _REJECTIONS
)
_ROUNDING = 0.01
"""Seconds."""


def one_at_a_time(
    asked: Sequence[Asked], environ: Mapping[str, str], jumped: float, *, separate: bool
) -> Iterator[str]:
    """Nobody gets a claim that somebody else may still act on, or before the grace of its doubt is over.

    Args:
        asked: all requests for claims on the mail.
        environ: settings.
        jumped: seconds by which clocks were set.
        separate: whether processes have separate ledgers. What one knows is in doubt for the other.
    """
    grace = float(environ["IN_DOUBT_GRACE"])
    shared = environ["LEDGER"] == "jetstream"
    # Under a claim that is over when it is granted, as to a process that has slept, nothing is written.
    granted = [(each.granted_at, each) for each in asked if each.granted_at and each.write_by > each.granted_at]
    # One that was asked for earlier may be granted later, as while the bucket was full.
    for before, after in pairwise(each for _, each in sorted(granted, key=lambda pair: pair[0])):
        assert after.granted_at is not None
        unknown = separate and before.process.name != after.process.name
        finished = before.finish_at is not None and before.finish_at <= after.granted_at
        # One that slept gives up late, and does not hear that its grace began when another took over.
        recorded = before.recorded_at is not None and before.recorded_at <= after.granted_at
        # Nor does the ledger hear of what it can't be told any more, as when the machine falls asleep.
        heard = recorded and not unknown
        waited = after.granted_at - (before.finish_at if heard and before.finish_at else before.at)
        if finished and isinstance(before.outcome, Sent):
            if heard:
                yield f"claimed at {after.granted_at:.1f}, after it was recorded as sent at {before.recorded_at:.1f}"
        elif finished and not isinstance(before.outcome, InDoubt):
            continue
        least = grace if finished or not shared else max(grace, float(environ["CLAIM_LEASE"]))
        if not shared:  # its times are by the clock of the process
            least -= jumped
        if waited < least - _ROUNDING:
            yield (
                f"claimed at {after.granted_at:.1f}, {waited:.1f} s after a claim of which nobody knows what became;"
                f" {least:g} s have to pass"
            )
        if not shared and before.process is not after.process:
            life = after.granted_at - after.process.began_at
            if life < grace - jumped:
                yield (
                    f"claimed at {after.granted_at:.1f}, {life:.1f} s after the process began, which had no time to hear"
                    " what became of the claim of the process before it"
                )


def written_in_time(asked: Sequence[Asked], exchanges: Sequence[Exchange]) -> Iterator[str]:
    """A request is written while its claim is certain, or not at all."""
    for exchange in exchanges:
        if exchange.written_at is None:
            continue
        claim = _claim_of(exchange, asked)
        if claim is None:
            yield f"written at {exchange.written_at:.1f} without a claim"
        elif exchange.written_at > claim.write_by + _ROUNDING:
            yield f"written at {exchange.written_at:.1f}, its claim was certain until {claim.write_by:.1f}"


def _claim_of(exchange: Exchange, asked: Sequence[Asked]) -> Asked | None:
    """The claim under which it was made."""
    claims = [
        each
        for each in asked
        if each.process is exchange.process and each.granted_at is not None and each.granted_at <= exchange.began_at
    ]
    return claims[-1] if claims else None


def given_up_before(moment: float, exchange: Exchange, asked: Sequence[Asked]) -> bool:
    """Whether its process had written the request by then and waited no more for its answer: nobody can call it back."""
    claim = _claim_of(exchange, asked)
    if claim is None or exchange.written_at is None or exchange.written_at > moment:
        return False
    ended_at = claim.process.ended_at
    given_up_at = claim.finish_at if isinstance(claim.outcome, InDoubt) else ended_at
    return given_up_at is not None and given_up_at <= moment


def _heard(exchange: Exchange, claim: Asked | None) -> bool:
    """Whether the process got the answer, before it gave up."""
    if exchange.answered_at is None or (claim and isinstance(claim.outcome, InDoubt)):  # it came while it was stopped
        return False
    return claim is None or claim.finish_at is None or exchange.answered_at <= claim.finish_at


def attempts(row: int, most: int, asked: Sequence[Asked], exchanges: Sequence[Exchange]) -> Iterator[str]:
    """What `row` counts is what was made, and what may have been."""
    written = [each for each in exchanges if each.written_at is not None]
    made = [
        each
        for each in written
        if each.verdict in _COUNTED or each.course.instead or not _heard(each, _claim_of(each, asked))
    ]
    unknown = sum(each.open or each.doubted for each in asked)
    if row > len(made) + unknown:
        yield f"{row} attempts are counted, {len(made)} were made ({unknown} may have been)"
    if row > most + 1:
        yield f"{row} attempts, at most {most} are allowed"


def rightly_dead(dead: Sequence[str], asked: Sequence[Asked], exchanges: Sequence[Exchange]) -> Iterator[str]:
    """A dead letter says what happened."""
    written = [each for each in exchanges if each.written_at is not None]
    certain = all(each.verdict and each.answered_at and not each.course.instead for each in written)
    doubted = any(each.open or each.doubted or isinstance(each.outcome, InDoubt) for each in asked)
    if "in-doubt" in dead and certain and not doubted:
        yield "parked, and nothing about it was in doubt"
    if "rejected" in dead and not any(each.verdict in _REJECTIONS for each in written):
        yield "a dead letter says rejected, and SES never did"


def stopped_in_time(address: str, since: float, asked: Sequence[Asked], exchanges: Sequence[Exchange]) -> Iterator[str]:
    """No claim is asked for and used after the address was certainly suppressed. `since`: true time."""
    late = [each for each in asked if each.at > since and each.granted_at is not None]
    if late and any(each.written_at is not None and each.began_at >= late[0].at for each in exchanges):
        yield f"claimed and sent at {late[0].at:.1f}, {address} was suppressed for certain since {since:.1f}"
