"""One delivery through the pipeline: first the happy path, then what happens when a part fails."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from email_consumer.core.delivery import Original
from email_consumer.core.ledger import Origin, TooLargeToKeepError
from email_consumer.core.metrics import Metrics
from email_consumer.core.outcome import (
    Failed,
    InDoubt,
    LeftOut,
    Rejected,
    Scheduled,
    SendResult,
    Sent,
    Stopped,
    StopReason,
)
from email_consumer.core.ramps import Ramps
from email_consumer.core.sender import Sender
from email_consumer.core.tenant_limits import TenantLimits
from email_consumer.message.lane import Lane
from email_consumer.message.model import EmailMessage, encode
from email_consumer.pipeline.allowances import Allowances
from email_consumer.pipeline.fair_shares import FairShares
from email_consumer.pipeline.gate import Gate
from email_consumer.pipeline.pacer import Pacer
from email_consumer.pipeline.pipeline import Pipeline
from email_consumer.pipeline.ramp_gate import RampGate
from email_consumer.pipeline.send_windows import SendWindows
from email_consumer.pipeline.settlement import Settlement
from tests.factories import FakeDelivery, mail
from tests.unit.granting_ledger import GrantingLedger

MAIL = mail()


class SlowTurn(Pacer):
    """An address is suppressed while the mail waits for its turn."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(1000, Metrics())
        self._gate = gate
        self.recipients: list[int] = []

    async def acquire(
        self,
        recipients: int,
        stopped: Callable[[], object] = bool,  # noqa: ARG002
        lane: Lane = Lane.BULK,  # noqa: ARG002
        tenant: str | None = None,  # noqa: ARG002
    ) -> bool:
        self.recipients.append(recipients)
        self._gate.suppress({"late@example.com": "hard bounce"})
        return True


class Ses:
    def __init__(self, answer: SendResult = Sent("ses-1")) -> None:  # noqa: B008 - a frozen value
        self.sent: list[EmailMessage] = []
        self._answer = answer

    async def send(self, message: EmailMessage, _deadline: float) -> SendResult:
        self.sent.append(message)
        return self._answer


class Observer:
    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[SendResult] = []
        self._error = error

    def report(self, result: SendResult) -> None:
        self.seen.append(result)
        if self._error:
            raise self._error


class DeadLetters:
    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []

    async def store(self, _original: Original, kind: str, reason: str, _attempts: int) -> None:
        self.reasons.append((kind, reason))


class NoJournal:
    async def begin(self, _key: str) -> int:
        return 0

    async def end(self, _key: str) -> None: ...


class SmallLedger(GrantingLedger):
    async def schedule(self, _message: EmailMessage, _origin: Origin, _held_by: str | None = None) -> Scheduled:
        raise TooLargeToKeepError("max_payload leaves 9")


def pipeline(
    ledger: GrantingLedger,
    dead_letters: DeadLetters,
    *observers: Observer,
    gate: Gate | None = None,
    pacer: Pacer | None = None,
    sender: Sender | None = None,
    metrics: Metrics | None = None,
    shares: FairShares | None = None,
    allowances: Allowances | None = None,
    windows: SendWindows | None = None,
) -> Pipeline:
    metrics = metrics or Metrics()
    return Pipeline(
        ledger=ledger,
        gate=gate or Gate(),
        windows=windows or SendWindows(),
        pacer=pacer or Pacer(1000, metrics),
        compose=lambda message, _headers: message,
        sender=sender or Ses(),
        observers=observers,
        settlement=Settlement(ledger, dead_letters, metrics, retry_delay=1),
        metrics=metrics,
        max_attempts=5,
        zone=UTC,
        journal=NoJournal(),
        allowances=allowances or Allowances(RampGate(Ramps({}), "no-reply@example.com"), TenantLimits()),
        shares=shares or FairShares(lambda: 100),
    )


async def test_a_mail_is_sent_recorded_and_acked() -> None:
    ledger, sender, observer, metrics = GrantingLedger(), Ses(Sent("ses-1")), Observer(), Metrics()
    delivery = FakeDelivery(encode(MAIL))
    await pipeline(ledger, DeadLetters(), observer, sender=sender, metrics=metrics).handle(delivery)
    assert sender.sent == [MAIL]
    assert ledger.outcomes == observer.seen == [Sent("ses-1")]
    assert delivery.calls == ["ack"]
    assert (metrics.received, metrics.settled, metrics.recipients_sent, metrics.in_flight) == (1, 1, 1, 0)


async def test_a_failed_attempt_is_recorded_and_redelivered() -> None:
    ledger, delivery = GrantingLedger(), FakeDelivery(encode(MAIL))
    await pipeline(ledger, DeadLetters(), sender=Ses(Failed("503"))).handle(delivery)
    assert ledger.outcomes == [Failed("503")]
    assert [call[:3] for call in delivery.calls] == ["nak"]


async def test_an_undecodable_message_becomes_a_dead_letter() -> None:
    ledger, dead_letters, sender, delivery = GrantingLedger(), DeadLetters(), Ses(), FakeDelivery(b"\xc1")
    await pipeline(ledger, dead_letters, sender=sender).handle(delivery)
    assert [kind for kind, _ in dead_letters.reasons] == ["undecodable"]
    assert (delivery.calls, sender.sent, ledger.outcomes) == (["term"], [], [])


async def test_an_observer_that_raises_loses_no_outcome() -> None:
    ledger, delivery = GrantingLedger(), FakeDelivery(encode(MAIL))
    broken, sound = Observer(ZeroDivisionError("a bug")), Observer()
    await pipeline(ledger, DeadLetters(), broken, sound).handle(delivery)
    assert ledger.outcomes == [Sent("ses-1")]
    assert delivery.calls == ["ack"]
    assert broken.seen == sound.seen == [Sent("ses-1")]


async def test_scheduled_mail_that_is_too_large_to_be_stored_becomes_a_dead_letter() -> None:
    ledger, dead_letters = SmallLedger(), DeadLetters()
    delivery = FakeDelivery(encode(MAIL.model_copy(update={"scheduled_at": datetime(2999, 1, 1, tzinfo=UTC)})))
    await pipeline(ledger, dead_letters).handle(delivery)
    assert dead_letters.reasons == [
        ("rejected", "it is scheduled for later and can't be stored until then: max_payload leaves 9")
    ]
    assert delivery.calls == ["term"]
    assert [type(outcome) for outcome in ledger.outcomes] == [Rejected]


COPIED = MAIL.model_copy(update={"cc": ("Old <old@example.com>", "good@example.com"), "bcc": ("late@example.com",)})
LEFT_OUT = (LeftOut("old@example.com", "complaint"), LeftOut("late@example.com", "hard bounce"))


@pytest.mark.parametrize("answer", [Sent("ses-1"), InDoubt("no answer")])
async def test_copies_to_suppressed_addresses_are_left_out_and_the_mail_is_sent(answer: Sent | InDoubt) -> None:
    gate, ledger, sender, metrics = Gate(), GrantingLedger(), Ses(answer), Metrics()
    gate.suppress({"old@example.com": "complaint"})
    pace = SlowTurn(gate)
    delivery = FakeDelivery(encode(COPIED))
    with capture_logs() as logs:
        await pipeline(ledger, DeadLetters(), gate=gate, pacer=pace, sender=sender, metrics=metrics).handle(delivery)
    assert pace.recipients == [3], "left-out recipients do not count towards the rate"
    [sent] = sender.sent
    assert [str(address) for address in sent.all_recipients] == ["a@example.com", "good@example.com"]
    assert ledger.outcomes == [replace(answer, left_out=LEFT_OUT)]
    if isinstance(answer, Sent):
        assert (metrics.recipients_sent, metrics.copies_left_out) == (2, 2)
        lines = [
            (line["uuid"], line["address"], line["reason"]) for line in logs if line["event"] == "mail.copy_left_out"
        ]
        assert lines == [("u-1", copy.address, copy.reason) for copy in LEFT_OUT]


async def test_a_failed_attempt_left_nobody_out() -> None:
    gate, ledger = Gate(), GrantingLedger()
    gate.suppress({"old@example.com": "complaint"})
    await pipeline(ledger, DeadLetters(), gate=gate, sender=Ses(Failed("503"))).handle(FakeDelivery(encode(COPIED)))
    assert ledger.outcomes == [Failed("503")]


async def test_a_suppressed_recipient_stops_the_mail_and_the_reason_names_the_address() -> None:
    gate, ledger, sender = Gate(), GrantingLedger(), Ses()
    gate.suppress({"a@example.com": "complaint", "old@example.com": "complaint"})
    delivery = FakeDelivery(encode(COPIED))
    await pipeline(ledger, DeadLetters(), gate=gate, sender=sender).handle(delivery)
    assert ledger.outcomes == [Stopped(StopReason.SUPPRESSED, "a@example.com: complaint")]
    assert (sender.sent, delivery.calls) == ([], ["ack"])


async def test_a_suppressed_archive_address_in_every_mail_is_logged_now_and_then() -> None:
    gate, metrics = Gate(), Metrics()
    gate.suppress({"old@example.com": "complaint"})
    line = pipeline(GrantingLedger(), DeadLetters(), gate=gate, metrics=metrics)
    with capture_logs() as logs:
        for number in range(50):
            await line.handle(FakeDelivery(encode(COPIED.model_copy(update={"uuid": f"u-{number}"}))))
    assert metrics.copies_left_out == 50
    assert len([each for each in logs if each["event"] == "mail.copy_left_out"]) == 1
