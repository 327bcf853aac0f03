"""What the pipeline keeps although a part of it fails."""

from datetime import UTC

from email_consumer.claim import Origin
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

    async def acquire(self, _recipients: int) -> bool:
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


class NoLetters:
    async def store(self, *_arguments: object) -> None:
        raise AssertionError("nothing has to be buried")


async def test_a_watcher_that_raises_loses_no_outcome() -> None:
    ledger, meters, delivery = GrantingLedger(), Meters(), FakeDelivery(encode(MAIL))
    broken, sound = Watcher(ZeroDivisionError("a bug")), Watcher()
    pipeline = Pipeline(
        ledger=ledger,
        admission=Free(),
        pace=Free(),
        compose=lambda message, _headers: message,
        sender=Ses(),
        watchers=(broken, sound),
        settlement=Settlement(ledger, NoLetters(), meters, retry_delay=1),
        meters=meters,
        max_attempts=5,
        zone=UTC,
    )
    await pipeline.handle(delivery)
    assert ledger.outcomes == [Sent("ses-1")]
    assert delivery.told == ["ack"]
    assert broken.seen == sound.seen == [Sent("ses-1")]
