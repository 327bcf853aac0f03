"""What becomes of a mail although a part of the pipeline fails."""

from datetime import UTC, datetime

from email_consumer.claim import Origin, TooLargeToKeepError
from email_consumer.delivery import Delivery
from email_consumer.message import EmailMessage, encode
from email_consumer.meters import Meters
from email_consumer.outcome import SendResult, Sent
from email_consumer.pipeline import Pipeline
from email_consumer.settlement import Settlement
from tests.unit.delivery import FakeDelivery
from tests.unit.granting_ledger import GrantingLedger

MAIL = EmailMessage(uuid="u-1", email="a@example.com", subject="s", body="b")


class Free:
    """Nothing is held back."""

    def check(self, _message: EmailMessage, _origin: Origin) -> None: ...

    async def acquire(self, _recipients: int, _stopped: object) -> bool:
        return True


class Ses:
    async def send(self, _message: EmailMessage, _deadline: float) -> SendResult:
        return Sent("ses-1")


class Watcher:
    def __init__(self, fault: Exception | None = None) -> None:
        self.seen: list[SendResult] = []
        self._fault = fault

    def report(self, result: SendResult) -> None:
        self.seen.append(result)
        if self._fault:
            raise self._fault


class Letters:
    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []

    async def store(self, _delivery: Delivery, kind: str, reason: str, _attempts: int) -> None:
        self.reasons.append((kind, reason))


class SmallLedger(GrantingLedger):
    async def schedule(self, _message: EmailMessage, _origin: Origin) -> bool:
        raise TooLargeToKeepError("max_payload leaves 9")


def pipeline(ledger: GrantingLedger, letters: Letters, *watchers: Watcher) -> Pipeline:
    meters = Meters()
    return Pipeline(
        ledger=ledger,
        admission=Free(),
        pace=Free(),
        compose=lambda message, _headers: message,
        sender=Ses(),
        watchers=watchers,
        settlement=Settlement(ledger, letters, meters, retry_delay=1),
        meters=meters,
        max_attempts=5,
        zone=UTC,
    )


async def test_a_watcher_that_raises_loses_no_outcome() -> None:
    ledger, delivery = GrantingLedger(), FakeDelivery(encode(MAIL))
    broken, sound = Watcher(ZeroDivisionError("a bug")), Watcher()
    await pipeline(ledger, Letters(), broken, sound).handle(delivery)
    assert ledger.outcomes == [Sent("ses-1")]
    assert delivery.told == ["ack"]
    assert broken.seen == sound.seen == [Sent("ses-1")]


async def test_mail_for_later_that_is_too_large_to_be_kept_is_a_dead_letter() -> None:
    ledger, letters = SmallLedger(), Letters()
    delivery = FakeDelivery(encode(MAIL.model_copy(update={"scheduled_at": datetime(2999, 1, 1, tzinfo=UTC)})))
    await pipeline(ledger, letters).handle(delivery)
    assert letters.reasons == [("rejected", "it is due later and can't be kept: max_payload leaves 9")]
    assert delivery.told == ["term"]
    assert ledger.outcomes == [], "a replay is no duplicate"
