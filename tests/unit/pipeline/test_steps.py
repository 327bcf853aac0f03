"""Each step of the pipeline can be the last: what the mail is told, and that no later step sees it."""

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from structlog.testing import capture_logs

from email_consumer.core.delivery import REPLAY_OF
from email_consumer.core.ledger import Claim, ClaimAnswer, LedgerBlockedError, NotKeptError, Origin
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Busy,
    Duplicate,
    Exhausted,
    Failed,
    InDoubt,
    Interrupted,
    Outcome,
    Scheduled,
    SendResult,
    Sent,
    Stopped,
)
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, encode
from email_consumer.pipeline.fair_shares import FairShares
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.pacer import Pacer
from tests.factories import FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger
from tests.unit.pipeline.test_pipeline import DeadLetters, Observer, Ses, pipeline
from tests.unit.pipeline.test_send_windows import closed

PAST = datetime(2001, 1, 1, tzinfo=UTC)
FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
NEW = MappingProxyType({REPLAY_OF: "messages-dead:7"})


class Ledger(GrantingLedger):
    """Answers as it is told, and notes whom it was asked about."""

    def __init__(self, answer: ClaimAnswer | None = None, known: Duplicate | None = None, attempt: int = 1) -> None:
        super().__init__()
        self._answer = answer or Claim(attempt, math.inf)
        self._known = known
        self.asked: list[Origin] = []

    def known(self, _message: EmailMessage) -> Duplicate | None:  # type: ignore[override]
        return self._known

    async def claim(self, _message: EmailMessage, origin: Origin) -> ClaimAnswer:  # type: ignore[override]
        self.asked.append(origin)
        return self._answer


class Blocked(GrantingLedger):
    async def claim(self, _message: EmailMessage, _origin: Origin) -> Claim:
        raise LedgerBlockedError("database is locked")

    async def schedule(self, _message: EmailMessage, _origin: Origin, _held_by: str | None = None) -> Scheduled:
        raise NotKeptError("the stream is full")


class Turn(Pacer):
    """Notes who waits, and lets something happen meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None, *, release: bool = True) -> None:
        super().__init__(1000, Metrics())
        self._meanwhile, self._release_it = meanwhile, release
        self.lanes: list[Lane] = []
        self.in_vain: list[bool] = []

    async def acquire(
        self,
        recipients: int,  # noqa: ARG002
        stopped: Callable[[], object] = bool,
        lane: Lane = Lane.BULK,
        tenant: str | None = None,  # noqa: ARG002
    ) -> bool:
        self.lanes.append(lane)
        self._meanwhile()
        self.in_vain.append(bool(stopped()))
        return self._release_it


class Waiting(Ses):
    """Answers once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def send(self, message: EmailMessage, deadline: float) -> SendResult:
        await self.may_answer.wait()
        return await super().send(message, deadline)


async def test_what_the_ledger_knows_waits_for_no_turn_unless_it_is_a_replay() -> None:
    ledger, turn, sender = Ledger(known=Duplicate()), Turn(), Ses()
    handling = pipeline(ledger, DeadLetters(), pacer=turn, sender=sender)
    again, replayed = FakeDelivery(encode(mail())), FakeDelivery(encode(mail()), headers=NEW)
    await handling.handle(again)
    assert (again.calls, turn.lanes, sender.sent) == (["ack"], [], [])
    await handling.handle(replayed)
    assert (replayed.calls, turn.lanes) == (["ack"], [Lane.BULK])
    assert [origin.replay_of for origin in ledger.asked] == ["messages-dead:7"]


async def test_a_uuid_is_handled_once_at_a_time() -> None:
    sender, first, second = Waiting(), FakeDelivery(encode(mail())), FakeDelivery(encode(mail()))
    handling = pipeline(GrantingLedger(), DeadLetters(), sender=sender)
    under_way = asyncio.create_task(handling.handle(first))
    await asyncio.sleep(0)
    await handling.handle(second)
    sender.may_answer.set()
    await under_way
    assert (first.calls, second.calls, len(sender.sent)) == (["ack"], ["nak 5"], 1)


@pytest.mark.parametrize("when", ["before its turn", "while it waits"])
async def test_a_suppressed_mail_is_neither_claimed_nor_sent(when: str) -> None:
    gate, ledger, sender, delivery = Gate(), Ledger(), Ses(), FakeDelivery(encode(mail()))

    def suppress() -> None:
        gate.suppress({"a@example.com": "complaint"})

    turn = Turn(suppress)
    if when == "before its turn":
        suppress()
    await pipeline(ledger, DeadLetters(), gate=gate, pacer=turn, sender=sender).handle(delivery)
    assert (delivery.calls, ledger.asked, sender.sent) == (["ack"], [], [])
    assert [type(outcome) for outcome in ledger.outcomes] == [Stopped]
    assert turn.in_vain == ([True] if when == "while it waits" else [])


async def test_an_expired_mail_says_when_it_expired() -> None:
    ledger, sender = GrantingLedger(), Ses()
    late = mail(scheduled_at=PAST, expires_at=PAST + timedelta(days=1))
    await pipeline(ledger, DeadLetters(), sender=sender).handle(FakeDelivery(encode(late)))
    [outcome] = ledger.outcomes
    assert isinstance(outcome, Stopped)
    assert (outcome.reason, outcome.detail) == ("expired", "expired at 2001-01-02T00:00:00+00:00")
    assert not sender.sent


async def test_a_hold_of_other_mail_is_no_reason_to_leave_the_queue() -> None:
    gate, sender = Gate(), Ses()
    turn = Turn(lambda: gate.holds.replace({"topic:other": False}))
    await pipeline(GrantingLedger(), DeadLetters(), gate=gate, pacer=turn, sender=sender).handle(
        FakeDelivery(encode(mail(topic_id="mine")))
    )
    assert (turn.in_vain, len(sender.sent)) == ([False], 1)


async def test_mail_that_a_hold_covers_after_its_turn_is_stored() -> None:
    gate, ledger, sender, delivery = Gate(), Ledger(), Ses(), FakeDelivery(encode(mail(topic_id="mine")))
    turn = Turn(lambda: gate.holds.replace({"topic:mine": False}))
    await pipeline(ledger, DeadLetters(), gate=gate, pacer=turn, sender=sender).handle(delivery)
    assert (delivery.calls, ledger.held, ledger.asked, sender.sent) == (["ack"], ["topic:mine"], [], [])


async def test_each_lane_waits_for_its_own_turn_and_leaves_its_place() -> None:
    turn, shares = Turn(), FairShares(lambda: 2)
    handling = pipeline(GrantingLedger(), DeadLetters(), pacer=turn, shares=shares)
    for number, lane in enumerate(("bulk", "transactional", "bulk")):
        await handling.handle(FakeDelivery(encode(mail(f"u-{number}", lane=lane, tenant="acme"))))
    assert turn.lanes == [Lane.BULK, Lane.TRANSACTIONAL, Lane.BULK]
    shares.enter("other")
    assert not shares.is_full("acme"), "nothing of it waits any more"


async def test_mail_that_gets_no_turn_is_delivered_again_and_was_not_claimed() -> None:
    ledger, delivery = Ledger(), FakeDelivery(encode(mail()))
    await pipeline(ledger, DeadLetters(), pacer=Turn(release=False)).handle(delivery)
    assert (delivery.calls, ledger.asked, ledger.outcomes) == (["nak 1"], [], [])


@pytest.mark.parametrize("fields", [{}, {"scheduled_at": FUTURE}, {"send_window": closed()}])
async def test_a_blocked_ledger_keeps_mail_in_the_source(fields: dict[str, Any]) -> None:
    metrics, sender, delivery = Metrics(), Ses(), FakeDelivery(encode(mail(**fields)))
    await pipeline(Blocked(), DeadLetters(), sender=sender, metrics=metrics).handle(delivery)
    assert (delivery.calls, sender.sent) == (["nak 1"], [])
    assert any(reason in metrics.last_nak_reason for reason in ("database is locked", "the stream is full"))


async def test_an_answer_of_the_ledger_that_is_no_claim_is_the_outcome() -> None:
    ledger, sender, delivery = Ledger(Busy()), Ses(), FakeDelivery(encode(mail()))
    await pipeline(ledger, DeadLetters(), sender=sender).handle(delivery)
    assert (delivery.calls, sender.sent, ledger.outcomes) == (["nak 5"], [], [])


@pytest.mark.parametrize(("attempt", "outcome"), [(4, Failed), (5, Exhausted), (6, Exhausted)])
async def test_the_last_attempt_is_the_last(attempt: int, outcome: type[Outcome]) -> None:
    ledger = Ledger(attempt=attempt)
    await pipeline(ledger, DeadLetters(), sender=Ses(Failed("503"))).handle(FakeDelivery(encode(mail())))
    assert [type(each) for each in ledger.outcomes] == [outcome]


async def test_a_bug_while_sending_leaves_the_mail_in_doubt() -> None:
    class Broken(Ses):
        async def send(self, _message: EmailMessage, _deadline: float) -> SendResult:
            raise ZeroDivisionError

    ledger, metrics, delivery = GrantingLedger(), Metrics(), FakeDelivery(encode(mail()))
    with capture_logs() as logs:
        await pipeline(ledger, DeadLetters(), sender=Broken(), metrics=metrics).handle(delivery)
    assert (delivery.calls, metrics.in_flight) == (["nak 5"], 0)
    assert ledger.outcomes == [InDoubt("ZeroDivisionError while sending")]
    assert [line["event"] for line in logs] == ["send.crashed"]


async def test_an_interrupted_attempt_is_no_result_of_ses() -> None:
    class Stopping(Ses):
        async def send(self, _message: EmailMessage, _deadline: float) -> Interrupted:  # type: ignore[override]
            return Interrupted()

    ledger, observer, metrics = GrantingLedger(), Observer(), Metrics()
    await pipeline(ledger, DeadLetters(), observer, sender=Stopping(), metrics=metrics).handle(
        FakeDelivery(encode(mail()))
    )
    assert (ledger.outcomes, observer.seen, sum(metrics.ses_call.counts)) == ([Interrupted()], [], 0)


async def test_durations_are_observed_and_unknown_keys_counted() -> None:
    metrics, delivery = (
        Metrics(),
        FakeDelivery(b'{"uuid":"u-1","email":"a@example.com","subject":"s","body":"b","odd":1}'),
    )
    delivery.stored_at = time.time() - 3
    with capture_logs() as logs:
        await pipeline(GrantingLedger(), DeadLetters(), sender=Ses(Sent("ses-1")), metrics=metrics).handle(delivery)
    assert sum(metrics.ses_call.counts) == 1
    assert metrics.ses_call.total < 600
    waited = metrics.enqueue_to_ses[Lane.BULK]
    assert sum(waited.counts) == 1
    assert 3 <= waited.total < 600
    assert metrics.unknown_keys == 1
    assert [line["key"] for line in logs] == ["odd"]
