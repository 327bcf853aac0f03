"""What the pipeline keeps although a part of it fails."""

import math
from datetime import UTC

from email_consumer.claim import Claim, Origin
from email_consumer.message import EmailMessage, encode
from email_consumer.meters import Meters
from email_consumer.outcome import Outcome, SendResult, Sent
from email_consumer.pipeline import Pipeline
from email_consumer.settlement import Settlement
from tests.unit.delivery import FakeDelivery

MAIL = EmailMessage(uuid="u-1", email="a@example.com", subject="s", body="b")


class Ledger:
    """Grants each claim and keeps the outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def knows_finished(self, _uuid: str) -> bool:
        return False

    async def claim(self, _message: EmailMessage, _origin: Origin) -> Claim:
        return Claim(1, math.inf)

    async def finish(self, _message: EmailMessage, outcome: Outcome, _origin: Origin) -> None:
        self.outcomes.append(outcome)

    async def schedule(self, _message: EmailMessage, _origin: Origin) -> bool:
        raise NotImplementedError


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
    ledger, meters, delivery = Ledger(), Meters(), FakeDelivery(encode(MAIL))
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
